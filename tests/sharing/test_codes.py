import pytest

from sharing.codes import ALPHABET, make_code, read_code


def test_a_code_is_64_bits_in_thirteen_signs():
    numbers = []
    for _ in range(2_000):
        code, number = make_code(), 0
        for sign in code:
            number = number * 32 + ALPHABET.index(sign)
        numbers.append(number)
    assert max(numbers) < 2**64
    for bit in range(64):  # each bit is a coin: 2,000 throws stay within ten standard deviations
        assert 776 < sum(number >> bit & 1 for number in numbers) < 1_224


def test_codes_use_no_look_alikes_and_all_the_rest():
    assert len(set(ALPHABET)) == 32 and not set("ILOUilou") & set(ALPHABET)
    codes = {make_code() for _ in range(2_000)}
    assert len(codes) == 2_000 and {len(code) for code in codes} == {13}
    assert set("".join(codes)) == set(ALPHABET)


@pytest.mark.parametrize(("typed", "read"), [
    ("k7qx4m2pbtrha", "K7QX4M2PBTRHA"), ("K7QX-4M2P-BTRHA", "K7QX4M2PBTRHA"), ("oO0iIlL1zzzzz", "0001111" + "1ZZZZZ")])
def test_what_people_misread_is_read_right(typed, read):
    assert read_code(typed) == read


@pytest.mark.parametrize("typed", [
    "", "K7QX4M2PBTRH", "K7QX4M2PBTRHAA", "UUUUUUUUUUUUU", "none", "admin", "ＫＫＫＫＫＫＫＫＫＫＫＫＫ", "ıııııııııııı1", "K" * 10_240,
    "K7QX4M2PBTR\x00A", "../../../etc/p", "'; DROP TABLE"])
def test_what_cannot_be_a_code_is_none(typed):
    assert read_code(typed) is None
