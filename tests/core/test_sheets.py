import pytest

from core.sheets import defused


@pytest.mark.parametrize("text", [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "  +1", '"=1', "'=1", "“=1", "＝1", "＋1", "－1", "＠x", "\u00a0=1",
    "\u200b=1", "\ufeff=1", "\u3000=1", "=cmd|'/c calc'!A0", '=HYPERLINK("https://evil.example")', "-2+3+cmd|' /C calc'!D2"])
def test_what_a_sheet_would_calculate_begins_with_an_apostrophe(text):
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Poster in the hall", "a=1", "1-2", "é+", "Łódź", "(-1)", "50 % + 1", "'s-Gravenhage"])
def test_other_texts_stay_as_they_are(text):
    assert defused(text) == text
