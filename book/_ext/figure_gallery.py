"""Sphinx extension: a gallery of figures that other pages make, so that it needs no pictures of its own.

    ```{gallery}
    fig-osse-zos: A sentence that stands under it.
    ```

Each entry is the picture, which leads to the figure, and its number. A label that no page has is a warning.
"""

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)


class figure_entry(nodes.General, nodes.Element):
    """Stands for a figure until all pages are read."""


class Gallery(SphinxDirective):
    """Lines of `label: sentence`; a sentence may be empty."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        gallery = nodes.container(classes=["figure-gallery"])
        for line in filter(str.strip, self.content):
            label, _, text = line.partition(":")
            gallery += figure_entry(label=label.strip(), text=text.strip(), line=self.lineno)
        return [gallery]


def picture(app, docname: str, label: str, text: str) -> nodes.Node | None:
    """The entry of a figure, if some page has it."""
    where, anchor, _ = app.env.get_domain("std").labels.get(label, (None, None, None))
    if where is None:
        return None
    figures = app.env.get_doctree(where).findall(nodes.figure)
    found = next((figure for figure in figures if anchor in figure["ids"]), None)
    image = next(found.findall(nodes.image), None) if found is not None else None
    if image is None:
        return None
    address = f"{app.builder.get_relative_uri(docname, where)}#{anchor}"
    number = app.env.toc_fignumbers.get(where, {}).get("figure", {}).get(anchor, ())
    title = app.config.numfig_format["figure"] % ".".join(map(str, number)) if number else label
    image = image.deepcopy()
    for size in ("width", "height", "scale", "align"):
        image.attributes.pop(size, None)
    return nodes.container(
        "",
        nodes.reference("", "", image, refuri=address, internal=True),
        nodes.paragraph(
            "", "", nodes.reference("", title, refuri=address, internal=True), nodes.Text(f" {text}" if text else "")
        ),
        classes=["figure-gallery-entry"],
    )


def resolve(app, doctree, docname: str) -> None:
    """Put pictures in their places."""
    for node in list(doctree.findall(figure_entry)):
        made = picture(app, docname, node["label"], node["text"])
        if made is None:
            logger.warning("the gallery asks for %s, which no page shows", node["label"], location=node)
        node.replace_self(made or [])


def setup(app) -> dict:
    app.add_node(figure_entry)
    app.add_directive("gallery", Gallery)
    app.connect("doctree-resolved", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
