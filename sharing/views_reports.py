"""What came of sharing, to be read: the organiser's report."""

from flask import g, render_template, request

from core.policy import allow
from projects.models import Project
from sharing import panel, queries
from sharing.queries import Source
from sharing.views import bp

PER_PAGE = 50
IN_TREE, ON_BRANCH = 5, 4


@bp.get("/projects/<slug>/recruits")
@allow("project:backers")
def recruits(slug: str) -> str:
    """Who brought whom: for the creator and the organisers."""
    project: Project = g.subject
    page = max(1, min(request.args.get("page", 1, type=int), 10_000))
    found, of_all = queries.recruits_by_person(project.id, PER_PAGE, (page - 1) * PER_PAGE)
    sources = queries.sources(project.id)
    shared = next((source for source in sources if source.source == "share"), Source("share", 0, 0))
    return render_template(
        "sharing/recruits.html", project=project, recruiters=found, of_all=of_all, page=page,
        first=(page - 1) * PER_PAGE + 1, last=min(page * PER_PAGE, of_all), shared=shared,
        total=Source("", sum(s.pledges for s in sources), sum(s.amount for s in sources)),
        source_bars=panel.source_bars(sources, project.currency),
        root=panel.project_tree(project, IN_TREE, ON_BRANCH) if page == 1 else None)
