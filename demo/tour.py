"""What there is to try in the demo: the cards of Stripe's test world, and a walk in eight steps."""

from flask_babel import lazy_gettext as __

CARDS = (
    ("4242 4242 4242 4242", __("Works, now and at the deadline.")),
    ("4000 0000 0000 0341", __("Is saved without trouble; the charge after the deadline is refused. The backer gets a "
                               "mail and uses another card.")),
    ("4000 0027 6000 3184", __("Wants 3-D Secure every time: when it is saved, and again after the deadline, when the "
                               "backer confirms from the pledge page.")),
    ("4000 0025 0000 3155", __("Wants 3-D Secure once, when it is saved. The charge works.")),
    ("4000 0000 0000 9995", __("Is refused at once, since there is too little on it. Stripe's page says so.")),
)

STEPS = (
    (__("Look around"), __("As a visitor, without an account: the front page, a search, a project, its rewards and "
                           "its news.")),
    (__("Pledge"), __("Sign in as the fan, open a project that still runs, choose a reward, add a bonus and type a card "
                      "on the page of the local Stripe. You come back as a backer with a number, and a mail thanks "
                      "you.")),
    (__("Bring somebody"), __("Copy the sharing link from your pledge and open it in a private window. Make an account "
                              "there, confirm it from the mailbox, pledge. The fan's pledge now shows a visit, a "
                              "recruit and the amount.")),
    (__("Change your mind"), __("Take another reward, or cancel. Stock and totals follow at once. In the last 24 hours "
                                "nobody can take a project below its goal.")),
    (__("Let a card fail"), __("Give the second pledge the card that ends in 0341, or the one that ends in 3184.")),
    (__("Run a project"), __("Sign in as the creator: the dashboard, an update, and a new project of your own, with "
                             "rewards and a payout account at the local Stripe.")),
    (__("Let time pass"), __("Move the clock to the next deadline. Within half a minute the sum decides: pledges are "
                             "collected or lapse, everybody is told, and the failed card waits to be mended on its "
                             "pledge page.")),
    (__("Take the list"), __("Sign in as the organiser: search and filter the backers, download them as CSV or XLSX, "
                             "see who brought whom.")),
)

# What each named account is for; the keys are those of stories.ACCOUNTS.
ROLES = {
    "creator": __("runs a project: dashboard, updates, payouts"),
    "fan": __("backs two projects and shares them"),
    "organiser": __("sees and exports the backer lists"),
}
