"""The organisers' own links: named, in folders, with what they brought; and the project's settings of sharing."""

from typing import Any

from flask import Response, current_app, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from core.clock import now
from core.db import db
from core.errors import NotFound, Refusal
from core.policy import allow
from projects.models import Project
from sharing import panel, queries, settings, tags
from sharing.forms import PlainForm, hand_back
from sharing.forms_tags import FindForm, ManyForm, SettingsForm, TagForm
from sharing.views import bp

Answer = str | Response | tuple[str, int]
PER_PAGE = 50
CHIPS = 12  # folders with a chip of their own; the others are found by searching
SUGGESTED = 100


@bp.get("/projects/<slug>/recruits/tags")
@allow("project:backers")
def list_tags(slug: str) -> Answer:
    """Fifty tags at a time, by folder; a question that cannot be asked is shown as such."""
    project: Project = g.subject
    form = FindForm(request.args)
    good = form.validate()
    wanted = form.wanted("channel" in request.args) if good else tags.Wanted()
    found, of_all = tags.tags_of(project.id, wanted, PER_PAGE) if good else ([], 0)
    everything, archived = tags.count_tags(project.id)
    folders = tags.channels_of(project.id, wanted.is_archived)
    page = render_template(
        "sharing/tags.html", project=project, form=form, good=good, wanted=wanted, tags=found, of_all=of_all,
        everything=everything, archived=archived, is_full=everything >= tags.MOST, most=tags.MOST,
        folders={folder.name.lower(): folder for folder in folders}, chips=_chips(folders, wanted),
        total=_total(folders), first=(wanted.page - 1) * PER_PAGE + 1, last=min(wanted.page * PER_PAGE, of_all),
        address=panel.short_text, link_url=panel.link_url)
    return page if good else (page, 422)


def _chips(folders: list[tags.Channel], wanted: tags.Wanted) -> list[tags.Channel]:
    """The largest folders, by name, and the one that is open."""
    most = sorted(folders, key=lambda folder: -folder.tags)[:CHIPS]
    here = [f for f in folders if wanted.channel is not None and f.name.lower() == wanted.channel.lower()]
    return sorted({folder.name: folder for folder in (*most, *here)}.values(), key=lambda folder: folder.name.lower())


def _total(folders: list[tags.Channel]) -> tags.Channel:
    return tags.Channel("", *(sum(getattr(folder, key) for folder in folders)
                              for key in ("tags", "visits", "recruits", "pledged", "collected")))


def _suggested(project: Project) -> list[str]:
    """Channels to choose from: the project's own, then those that most begin with."""
    own = [folder.name for folder in tags.channels_of(project.id) if folder.name][:SUGGESTED]
    usual = [_("Posters"), _("Newsletter"), _("Social media"), _("Press"), _("Shops"), _("Partners"), _("Shows")]
    known = {name.lower() for name in own}
    return own + [name for name in usual if name.lower() not in known]


def _form_page(project: Project, *, form: TagForm, many: ManyForm, status: int = 200) -> Answer:
    everything, _archived = tags.count_tags(project.id)
    page = render_template("sharing/tag_new.html", project=project, form=form, many=many, most=tags.MOST,
                           at_once=tags.AT_ONCE, is_full=everything >= tags.MOST, room=tags.MOST - everything,
                           channels=_suggested(project), prefix=panel.short_text(""))
    return (page, status) if status != 200 else page


@bp.route("/projects/<slug>/recruits/tags/new", methods=["GET", "POST"])
@allow("project:backers")
def add_tag(slug: str) -> Answer:
    """One tag with all its fields."""
    project: Project = g.subject
    form, status = TagForm(), 200
    if form.is_submitted():
        status = 422
        if form.validate():
            try:
                tag = tags.add_tag(project, form.name.data or "", form.channel.data or "", by_id=current_user.id,
                                   word=form.word.data or "", utm=form.utm)
            except Refusal as refusal:
                status = _refused(project, form, refusal)
            else:
                flash(_("“%(name)s” has a link now.", name=tag.name), "success")
                return _to(project, "sharing.tag", code=tag.code)
    elif "channel" in request.args:
        form.channel.data = request.args["channel"][:tags.CHANNEL]
    return _form_page(project, form=form, many=ManyForm(formdata=None), status=status)


@bp.post("/projects/<slug>/recruits/tags/many")
@allow("project:backers")
def add_tags(slug: str) -> Answer:
    """Many tags from pasted lines, all or none."""
    project: Project = g.subject
    many, status = ManyForm(), 422
    if many.validate_on_submit():
        try:
            count = tags.add_tags(project, many.lines.data or "", current_user.id)
        except Refusal as refusal:
            status = _refused(project, many, refusal)
        else:
            flash(ngettext("One tag has a link now.", "%(num)s tags have a link now.", count), "success")
            return _to(project, "sharing.list_tags", sort="new")
    return _form_page(project, form=TagForm(formdata=None), many=many, status=status)


@bp.route("/projects/<slug>/recruits/tags/<code>", methods=["GET", "POST"])
@allow("project:backers")
def tag(slug: str, code: str) -> Answer:
    """One tag: its link to take along, what it brought, and its name, channel, word and UTM fields."""
    project: Project = g.subject
    found = tags.tag_of(project.id, code)
    form, status = TagForm(formdata=request.form) if request.method == "POST" else TagForm.about(found), 200
    if form.is_submitted():
        status = 422
        if form.validate():
            try:
                tags.edit_tag(project, found, name=form.name.data or "", channel=form.channel.data or "",
                              word=form.word.data or "", utm=form.utm, by_id=current_user.id)
            except Refusal as refusal:
                status = _refused(project, form, refusal)
            else:
                flash(_("Saved."), "success")
                return _to(project, "sharing.tag", code=found.code)
    page = render_template("sharing/tag.html", project=project, tag=found, form=form, button=PlainForm(formdata=None),
                           channels=_suggested(project), prefix=panel.short_text(""), share=_panel(project, found))
    return (page, status) if status != 200 else page


def _panel(project: Project, found: tags.Tag) -> panel.Panel:
    return panel.Panel(
        link_url=panel.link_url(found.said), short_text=panel.short_text(found.said), code=found.code, word=found.word,
        qr_url=f"/s/{found.code}.svg", qr_png_url=f"{panel.link_url(found.code)}.png", title=project.title,
        results=queries.Results(visits=found.visits, recruits=found.recruits, pledged=found.pledged,
                                collected=found.collected),
        currency=project.currency, person_id=None, is_open=project.is_live)


@bp.post("/projects/<slug>/recruits/tags/<code>/archival")
@allow("project:backers")
def archive_tag(slug: str, code: str) -> Answer:
    """Out of the list; what is printed still works."""
    return _archive(code, back=False)


@bp.post("/projects/<slug>/recruits/tags/<code>/restoration")
@allow("project:backers")
def restore_tag(slug: str, code: str) -> Answer:
    return _archive(code, back=True)


def _archive(code: str, *, back: bool) -> Answer:
    project: Project = g.subject
    found = tags.tag_of(project.id, code)
    if PlainForm().validate_on_submit():
        tags.archive_tag(project, found, current_user.id, back=back)
        flash(_("“%(name)s” is in the list again.", name=found.name) if back else
              _("“%(name)s” is out of the list. Its link still works and still counts.", name=found.name), "success")
    return _to(project, "sharing.tag", code=found.code)


@bp.get("/projects/<slug>/recruits/tags.csv")
@allow("project:backers")
def download_tags(slug: str) -> Response:
    """All tags, the archived ones too. It names no person."""
    project: Project = g.subject
    pieces = list(tags.sheet(project, panel.link_url("").rstrip("/")))
    name = f"{project.slug}-tags-{now().date().isoformat()}.csv"
    response = Response(pieces, mimetype=None, headers={
        "Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'})
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.route("/projects/<slug>/recruits/settings", methods=["GET", "POST"])
@allow("project:backers")
def share_settings(slug: str) -> Answer:
    """Which touch counts, and whether there is a ranking."""
    project: Project = g.subject
    known = settings.settings_of(project.id)
    form, status = SettingsForm(data=None if request.method == "POST" else {
        "counts": known.counts, "has_ranking": known.has_ranking}), 200
    if form.is_submitted():
        status = 422
        if form.validate():
            settings.decide(project, form.counts.data, form.has_ranking.data, current_user.id)
            flash(_("Saved."), "success")
            return _to(project, "sharing.share_settings")
    page = render_template("sharing/settings.html", project=project, form=form, known=known,
                           days=current_app.config["SHARE_DAYS"])
    return (page, status) if status != 200 else page


def _refused(project: Project, form: Any, refusal: Refusal) -> int:
    if isinstance(refusal, NotFound):
        raise refusal
    db.session.rollback()
    db.session.refresh(project)
    hand_back(form, refusal)
    return refusal.status


def _to(project: Project, endpoint: str, **values: Any) -> Response:
    return make_response(redirect(url_for(endpoint, slug=project.slug, **values), 303))
