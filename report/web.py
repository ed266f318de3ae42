"""What every page of ours is made with: templates, pictures as data, JSON inside a page."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evaluation.predictions import probability

TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")


def rendered(name: str, scripts: Sequence[str], **values: Any) -> bytes:  # noqa: ANN401
    """Return the page of `templates/<name>.html`, whose one script is `scripts` (files of the same
    folder) one after the other, in a scope of their own.

    Text is escaped, and bytes of a file name that are no UTF-8 appear as an escape such as \\udcff.
    The template gets `script`, and `script_hash` for its Content-Security-Policy: only this one
    script may run, whatever a file name smuggles in.
    """
    script = '"use strict";\n(() => {\n' + "\n".join(map(_source, scripts)) + "})();\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment().get_template(f"{name}.html")
    text = template.render(script=Markup(script), script_hash=digest, **values)
    return text.encode("utf-8", "backslashreplace")


@functools.cache
def environment() -> Environment:
    """Return where the templates are, which are compiled once in a process."""
    its = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    its.filters |= {"picture": data_uri, "probability": probability}
    return its


def _source(file: str) -> str:
    with open(os.path.join(TEMPLATES, file), encoding="utf-8") as source:
        return source.read()


def data_uri(image: bytes | str) -> str:
    """Return a PNG or JPEG as the address of a picture; one that is an address stays it."""
    if isinstance(image, str):
        return image
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def script_safe(value: Any) -> Markup:  # noqa: ANN401 - plain values
    """Return JSON that cannot end the script element it stands in, nor break a line of it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))  # ASCII only
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def readable(name: str) -> str:
    """Return the name with undecodable bytes escaped, as the rest of the page shows them."""
    return name.encode("utf-8", "backslashreplace").decode()
