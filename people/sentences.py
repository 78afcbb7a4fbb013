"""What the login library says, in our words. Marked by `N_` for the catalogue; it translates them as it speaks."""


def N_(sentence: str) -> str:
    return sentence


MESSAGES = {
    "GENERIC_AUTHN_FAILED": (N_("This address and this password do not belong together. Try again, or ask for a new "
                                "password."), "error"),
    "DISABLED_ACCOUNT": (N_("This account is closed."), "error"),
    "EMAIL_NOT_PROVIDED": (N_("Write your e-mail address."), "error"),
    "INVALID_EMAIL_ADDRESS": (N_("This is not an e-mail address. It looks like name@example.org."), "error"),
    "PASSWORD_NOT_PROVIDED": (N_("Write your password."), "error"),
    "INVALID_PASSWORD": (N_("This is not your password."), "error"),
    "PASSWORD_IS_THE_SAME": (N_("This is the password that you have. Choose another."), "error"),
    "PASSWORD_CHANGE": (N_("Your password is changed. Every other browser was logged out."), "success"),
    "PASSWORD_RESET_NO_LOGIN": (N_("Your password is changed. Log in with it."), "success"),
    "PASSWORD_RESET_EXPIRED": (N_("This link is more than an hour old. Ask for a new one."), "error"),
    "INVALID_RESET_PASSWORD_TOKEN": (N_("This link was used before or is not complete. Ask for a new one."), "error"),
    "EMAIL_CONFIRMED": (N_("Your address is confirmed."), "success"),
    "ALREADY_CONFIRMED": (N_("This address is already confirmed."), "info"),
    "CONFIRMATION_EXPIRED": (N_("This link is more than two days old. Ask for a new one."), "error"),
    "INVALID_CONFIRMATION_TOKEN": (N_("This link was used before or is not complete. Ask for a new one."), "error"),
    "REAUTHENTICATION_REQUIRED": (N_("Write your password once more before you go on."), "info"),
    "REAUTHENTICATION_SUCCESSFUL": (N_("Thank you. You can go on."), "success"),
    "USER_DOES_NOT_EXIST": (N_("Write your e-mail address."), "error"),
    "API_ERROR": (N_("Write this as text."), "error"),
}
