"""A person's own page about sharing a project: the link, its word, the name, and what came of it."""

from typing import Any

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core.db import db
from core.errors import NotFound, Refusal
from core.i18n import locale_name
from core.policy import allow
from projects.models import Project
from projects.queries import card
from sharing import (
    embeds,
    milestones,
    panel,
    queries,
    recommendations,
    reports,
    review_queries,
    services,
    settings,
    words,
)
from sharing.forms import MakeLinkForm, NameForm, WordForm, hand_back
from sharing.models import ShareLink
from sharing.views import bp

Answer = str | Response | tuple[str, int]


@bp.route("/projects/<slug>/share", methods=["GET", "POST"])
@allow("sharing:share")
def share(slug: str) -> Answer:
    """Your link for this project and what came of it; made by a button, because looking changes nothing."""
    project: Project = g.subject
    form = MakeLinkForm()
    if form.validate_on_submit():
        services.link_of(current_user.id, project)
        return _back(project)
    return _page(project, form=form)


@bp.post("/projects/<slug>/share/word")
@allow("sharing:share")
def word(slug: str) -> Answer:
    """Take a word for your own link, or give it back."""
    project: Project = g.subject
    link, form = _own(project), WordForm()
    if request.form.get("act") == "release":
        if form.validate_on_submit() and words.release_word(link, current_user.id):
            flash(_("The word leads nowhere from now on. Your link works as before."), "success")
        return _back(project)
    if form.validate_on_submit():
        try:
            taken = words.claim_word(link, form.word.data or "", current_user.id)
        except Refusal as refusal:
            db.session.rollback()
            hand_back(form, refusal)
            return _page(project, word_form=form), refusal.status
        flash(_("Your link is now %(link)s.", link=panel.short_text(taken)), "success")
        return _back(project)
    return _page(project, word_form=form), 422


@bp.post("/projects/<slug>/share/name")
@allow("sharing:share")
def name(slug: str) -> Answer:
    """Show my first name to others, or no longer."""
    project: Project = g.subject
    link, form = _own(project), NameForm()
    if not form.validate_on_submit():
        return _page(project, name_form=form), 422
    settings.show_name(link, project, form.is_named.data)
    flash(_("Others see your first name from now on.") if form.is_named.data else
          _("Others see “a backer” from now on."), "success")
    return _back(project)


def _own(project: Project) -> ShareLink:
    link = queries.link_between(current_user.id, project.id)
    if link is None:
        raise NotFound(_("Make your link first."))
    return link


def _back(project: Project) -> Response:
    return make_response(redirect(url_for("sharing.share", slug=project.slug), 303))


def _page(project: Project, **forms: Any) -> str:
    link = queries.link_between(current_user.id, project.id)
    pledge = queries.standing_pledge(current_user.id, project.id)
    mine = panel.panel_of(link, project, number=pledge.number if pledge else None,
                          pledge_id=pledge.id if pledge else None) if link else None
    if link:
        forms.setdefault("word_form", WordForm(formdata=None, word=mine.word if mine else ""))
        forms.setdefault("name_form", NameForm(formdata=None, is_named=link.is_named))
    forms.setdefault("form", MakeLinkForm(formdata=None))
    if pledge:
        forms["recommendation"] = recommendations.Field(current_user.id, project)
    if link and mine:
        forms["embed"] = embeds.Embed(project.slug, project.title, link.code, mine.link_url, locale_name(),
                                       mine.disclosure)
    if not link and project.is_live:
        forms["steps"] = milestones.way_of(project.id, current_user.id)
    known = settings.settings_of(project.id)
    if link:
        forms["mine"] = reports.mine(project, link.id, known.has_ranking)
        forms["looked_at"] = review_queries.looked_at(project.id, current_user.id)
    return render_template("sharing/share.html", project=project, pledge=pledge, share=mine, link=link,
                           settings=known, project_card=card(project.id), most_words=words.MOST, **forms)
