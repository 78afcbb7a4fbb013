"""Where people look at what rules doubt: organisers for their project, staff for the house, recruiters for their link."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from wtforms import Field

from core.errors import NotFound, Refusal
from core.platform import StaffPage
from core.policy import allow
from people.queries import person_by_email
from projects.models import Project
from sharing import bans, review_queries, review_words, reviewing
from sharing.forms import PlainForm, hand_back
from sharing.forms_review import AppealForm, BanByLinkForm, BanByMailForm, DecisionForm
from sharing.views import bp

Answer = str | Response | tuple[str, int]


def add_page(pages: list[StaffPage]) -> None:
    """Hooked to the desk of staff: the tab, with what recruiters asked staff to look at again."""
    pages.append(StaffPage("sharing", _("Sharing"), url_for("sharing.platform_review"),
                           _("Credits in doubt, and who is not credited"), review_queries.count_open(None)[1], 85))


def _page_number(count: int) -> int:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= 6) \
            or not 1 <= int(text) <= max(1, -(-count // review_queries.PER_PAGE)):
        raise NotFound(_("There is no page %(n)s here.", n=text[:6]))
    return int(text)


def _queue(template: str, project: Project | None, ban_form: BanByLinkForm | BanByMailForm,
           wrong: tuple[UUID, DecisionForm] | None = None) -> str:
    project_id = project.id if project else None
    count, appeals = review_queries.count_open(project_id)
    page = _page_number(count)
    return render_template(
        template, project=project, items=review_queries.open_items(project_id, page), count=count, appeals=appeals,
        page=page, per_page=review_queries.PER_PAGE, decided=review_queries.decided_items(project_id),
        bans=review_queries.bans_on(project_id), words=review_words, ban_form=ban_form, wrong=wrong)


def _back(project: Project | None) -> Response:
    address = url_for("sharing.review", slug=project.slug) if project else url_for("sharing.platform_review")
    return redirect(address, 303)  # type: ignore[return-value]


def _decide(flag_id: UUID, project: Project | None) -> Answer:
    form = DecisionForm()
    template = "sharing/review.html" if project else "sharing/platform.html"
    if form.validate_on_submit():
        try:
            flag = reviewing.decide(flag_id, form.decision.data or "", form.reason.data or "", by_id=current_user.id,
                                    project_id=project.id if project else None, is_staff=project is None)
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            hand_back(form, refusal)
        else:
            flash(_("Decided: these pledges count.") if flag.decision == "credit" else
                  _("Decided: these pledges do not count. The pledges themselves stand."), "success")
            return _back(project)
    item = review_queries.one_item(flag_id)
    if item is None or (project is not None and item.slug != project.slug):
        raise NotFound(_("There is nothing to look at under this address."))
    return _queue(template, project, BanByLinkForm(formdata=None) if project else BanByMailForm(formdata=None),
                  (flag_id, form)), 422


def _reopen(flag_id: UUID, project: Project | None) -> Response:
    PlainForm().validate_on_submit()
    reviewing.reopen(flag_id, by_id=current_user.id, project_id=project.id if project else None)
    flash(_("The decision was taken back. It waits in the list again."), "success")
    return _back(project)


def _lift(ban_id: UUID, project: Project | None) -> Response:
    PlainForm().validate_on_submit()
    bans.lift(ban_id, by_id=current_user.id, project_id=project.id if project else None)
    flash(_("The ban was lifted. What comes by their links from now on is credited."), "success")
    return _back(project)


def _ban(form: BanByLinkForm | BanByMailForm, who: Field, find: Callable[[str], UUID], project: Project | None) -> bool:
    """Ban whom the field names. Who that is gets looked up even if the rest is wrong, so that all of it is told at once."""
    good = form.validate_on_submit()
    try:
        person_id = None if who.errors else find((who.data or "").strip())
        if good and person_id:
            bans.ban(person_id, project_id=project.id if project else None, reason=form.reason.data or "",
                     days=form.days.data, has_struck=form.has_struck.data, by_id=current_user.id)
            return True
    except Refusal as refusal:
        hand_back(form, refusal)
    return False


def _person_of_address(text: str) -> UUID:
    person = person_by_email(text)
    if person is None:
        raise Refusal(_("Nobody has an account with this address."), "email")
    return person.id


# For the creator and the organisers of a project ---------------------------------------------------------------------

@bp.get("/projects/<slug>/recruits/review")
@allow("project:backers")
def review(slug: str) -> str:
    """Credits in doubt, gravest first; below, what was decided and who is not credited."""
    return _queue("sharing/review.html", g.subject, BanByLinkForm())


@bp.post("/projects/<slug>/recruits/review/<uuid:flag_id>/decision")
@allow("project:backers")
def decide_flag(slug: str, flag_id: UUID) -> Answer:
    return _decide(flag_id, g.subject)


@bp.post("/projects/<slug>/recruits/review/<uuid:flag_id>/reopening")
@allow("project:backers")
def reopen_flag(slug: str, flag_id: UUID) -> Response:
    return _reopen(flag_id, g.subject)


@bp.post("/projects/<slug>/recruits/bans")
@allow("project:backers")
def ban_recruiter(slug: str) -> Answer:
    """Somebody's link counts nothing in this project from now on."""
    project: Project = g.subject
    form = BanByLinkForm()
    if _ban(form, form.link, lambda text: bans.person_of_link(text, project.id), project):
        flash(_("Nothing is credited to this link any more. It still leads to the project."), "success")
        return _back(project)
    return _queue("sharing/review.html", project, form), 422


@bp.post("/projects/<slug>/recruits/bans/<uuid:ban_id>/lifting")
@allow("project:backers")
def lift_ban(slug: str, ban_id: UUID) -> Response:
    return _lift(ban_id, g.subject)


# For staff -----------------------------------------------------------------------------------------------------------

@bp.get("/platform/sharing")
@allow("staff")
def platform_review() -> str:
    """All projects: what recruiters asked to be looked at again comes first."""
    return _queue("sharing/platform.html", None, BanByMailForm())


@bp.post("/platform/sharing/<uuid:flag_id>/decision")
@allow("staff")
def platform_decide(flag_id: UUID) -> Answer:
    return _decide(flag_id, None)


@bp.post("/platform/sharing/<uuid:flag_id>/reopening")
@allow("staff")
def platform_reopen(flag_id: UUID) -> Response:
    return _reopen(flag_id, None)


@bp.post("/platform/sharing/bans")
@allow("staff")
def platform_ban() -> Answer:
    """Somebody is credited nowhere from now on."""
    form = BanByMailForm()
    if _ban(form, form.email, _person_of_address, None):
        flash(_("Nothing is credited to this person any more. Their links still lead to the projects."), "success")
        return _back(None)
    return _queue("sharing/platform.html", None, form), 422


@bp.post("/platform/sharing/bans/<uuid:ban_id>/lifting")
@allow("staff")
def platform_lift(ban_id: UUID) -> Response:
    return _lift(ban_id, None)


# For the one whose link it is ----------------------------------------------------------------------------------------

def _looks(project: Project, wrong: tuple[UUID, AppealForm] | None = None) -> str:
    return render_template("sharing/looks.html", project=project, words=review_words, wrong=wrong,
                           items=review_queries.mine(project.id, current_user.id))


@bp.get("/projects/<slug>/share/looks")
@allow("sharing:share")
def looks(slug: str) -> str:
    """Which pledges by my link are being looked at, and what was decided; in words that accuse nobody."""
    return _looks(g.subject)


@bp.post("/projects/<slug>/share/looks/<uuid:flag_id>")
@allow("sharing:share")
def ask_again(slug: str, flag_id: UUID) -> Answer:
    """Ask the people who run the site for another look, once."""
    project: Project = g.subject
    known: dict[UUID, Any] = {one.id: one for one in review_queries.mine(project.id, current_user.id)}
    if flag_id not in known:
        raise NotFound(_("There is nothing to look at under this address."))
    form = AppealForm()
    if form.validate_on_submit():
        try:
            reviewing.appeal(flag_id, current_user.id, form.text.data or "")
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            hand_back(form, refusal)
        else:
            flash(_("Thank you. The people who run this site look once more and write to you."), "success")
            return redirect(url_for("sharing.looks", slug=slug), 303)  # type: ignore[return-value]
    return _looks(project, (flag_id, form)), 422
