"""Self-referral tried eight ways (W-27), each in a browser of its own: what those see who try, and the organiser.

`tests/sharing/test_eight_ways.py` tries the same over HTTP and looks at the rows; this is what stands on the pages.
"""

import re

from tests.stories.acts import (
    AMEX,
    GOOD,
    MASTERCARD,
    choose,
    credits,
    fill,
    follow,
    is_backer,
    live_project,
    log_out,
    own_link,
    press,
    register,
    save_card,
    says,
    sign_in,
    soon_says,
)
from tests.stories.conftest import PASSWORD

HOME = {"country": "NL", "line1": "Oudegracht 1-a", "postal_code": "3511 AB", "city": "Utrecht"}
HOME_OTHERWISE = {"country": "NL", "line1": "oude gracht 1A", "postal_code": "3511ab", "city": "UTRECHT"}


def test_self_referral_tried_eight_ways(world, visitor):
    slug, noor_mail = live_project(world, "Eight ways")
    ada, capitals, plus, dots, mo, cas, dirk = (world.account(name, address) for name, address in (
        ("Ada Vermeer", "ada.vermeer@gmail.com"), ("Adda Vermeer", "ADA.VERMEER@GoogleMail.com"),
        ("Aad Vermeer", "ada.vermeer+second@gmail.com"), ("Ad Vermeer", "a.davermeer@gmail.com"),
        ("Mo El Idrissi", "mo.eight@example.org"), ("Cas Bos", "cas.eight@example.org"),
        ("Dirk Mulder", "dirk.eight@example.org")))
    laptop, phone = visitor(), visitor(width=360, is_mobile=True, has_touch=True)
    sign_in(laptop, ada)
    link = own_link(laptop, slug)

    # 1: her own account in another browser, by her own link, and with its code in the address of the form.
    come(phone, link, ada, f"/projects/{slug}/pledge?via={link.rsplit('/', 1)[-1]}")
    assert "brought you here" not in phone.locator("main").inner_text()
    give(phone, "11", MASTERCARD, HOME)
    first = phone.url.split("?")[0]
    # 2, 3, 4: a second account of her mailbox: in capitals at the provider's other name, with a +tag, with other dots.
    for address, amount in ((capitals, "12"), (plus, "13"), (dots, "14")):
        come(other := visitor(), link, address)
        give(other, amount)
    # 5: her own browser, signed out and registered anew.
    log_out(laptop)
    laptop.goto(link)
    register(laptop, world, "Bram Vermeer", "bram.eight@example.org")
    laptop.goto(f"/projects/{slug}/pledge")
    give(laptop, "15")
    # 6: her card at Stripe's form, by another account in another browser.
    come(other := visitor(), link, cas)
    give(other, "16", MASTERCARD)
    # 8: her address, written otherwise, with a card and a browser of his own.
    come(other := visitor(), link, dirk)
    give(other, "18", AMEX, HOME_OTHERWISE)

    assert credits(world, slug) == []
    phone.goto(f"/projects/{slug}/share")
    soon_says(phone, " by your link so far.", ", 0 pledges", "By you 0 €0.00 €0.00",  # not the visits: a new half hour may begin
              "3 pledges by your link are being looked at. They may count a little later.")

    # Who has a browser, a mailbox, a card and a door of his own does count. ----------------------------------------
    come(friend := visitor(), link, mo)
    give(friend, "20")
    back = own_link(friend, slug)
    # 7: a loop: she takes her pledge back and comes again, by the link of him whom she brought.
    phone.goto(f"{first}/cancellation")
    press(phone, "Cancel my pledge")
    says(phone, "Your pledge is cancelled.")
    phone.goto(back)
    says(phone, "Mo sent you.")
    phone.goto(f"/projects/{slug}/pledge")
    give(phone, "17", MASTERCARD, HOME)
    assert credits(world, slug) == ["Mo El Idrissi by Ada Vermeer"]
    phone.goto(f"/projects/{slug}/share")
    soon_says(phone, "You brought one backer.", ", 1 pledge, €20 pledged", "Together 1 €20.00 €0.00")
    soon_says(friend, "One visit by your link so far.", "1 visit, 0 pledges", "By you 0 €0.00 €0.00")

    # The organiser is asked about those who may be a household, with the reason; the pledges stand, all eight. --------
    noor = visitor()
    sign_in(noor, noor_mail)
    noor.goto(f"/projects/{slug}/recruits/review")
    says(noor, "3 things to look at", "The pledges stand in any case.")
    for reason, said in (("used the same browser", ("Bram", "€15.00")), ("have the same card", ("Cas", "€16.00")),
                         ("gave the same address", ("Dirk", "€18.00"))):
        doubt = noor.locator(".doubts > li", has_text=f"Backer and recruiter {reason}.").inner_text()
        for word in ("Does not count yet", "by the link of Ada", "Pledged", *said):
            assert word in doubt, doubt
    noor.goto(f"/projects/{slug}/recruits")
    says(noor, "€20 came through sharing links.", "1 of 8 backers", "Generation 1, each brought 0")
    noor.goto(f"/projects/{slug}/backers?status=pledged")
    says(noor, "8 backers")
    amounts = noor.locator("main tbody tr", has_text="Pledged").locator("td", has_text="€").all_inner_texts()
    assert amounts == [f"€{amount}.00" for amount in (17, 20, 18, 16, 15, 14, 13, 12)]


# What people do here ---------------------------------------------------------------------------------------------------

def come(page, link, address, form=""):
    """By Ada's link to the project, and by way of signing in to the form, in a browser that does not know this person."""
    page.goto(link)
    says(page, "Ada sent you.")
    if form:
        page.goto(form)
    else:
        follow(page, "^Stand behind this$")
    page.wait_for_url("**/login?**")
    fill(page, email=address, password=PASSWORD)
    press(page, "Log in")
    page.wait_for_url(re.compile(r"/pledge(\?via=\w+)?$"))


def give(page, amount, card=GOOD, home=None):
    """From the form that is open, by Stripe's page and back: whatever is thought of who brought it, the pledge stands."""
    choose(page, bonus=amount)
    press(page, "Continue to card details")
    save_card(page, card, **(home or {}))
    is_backer(page)
