"""A page and its server agree on the order of things, however slow the ways between them are."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Opening

SLOW = """
const plain = window.fetch, wait = (how) => new Promise((done) => setTimeout(done, how));
let asked = 0;
window.slow = false;
window.fetch = async (what, options) => {
  const path = new URL(what.url ?? what, location.href).pathname;
  const number = window.slow && path.endsWith("/queue/join") ? (asked += 1) : 0;
  %s
};
"""
WAYS = {
    # the first question takes longer than the second
    "question": "if (number === 1) await wait(600); return plain(what, options);",
    # the second's receipt takes longer than its answer
    "receipt": """const answer = await plain(what, options);
        if (number === 2) await wait(600);
        return answer;""",
    # what ends the stream takes longer than the next question
    "end": """const answer = await plain(what, options);
        if (!path.endsWith("/queue/data")) return answer;
        const late = new TransformStream({ async transform(bytes, stream) {
          if (new TextDecoder().decode(bytes).includes("close_stream")) await wait(600);
          stream.enqueue(bytes);
        } });
        return new Response(answer.body.pipeThrough(late), { headers: answer.headers });""",
}
FIRST = ".sd-tools .one .field .name"
RECORD = f"""window.seen = [];
new MutationObserver(() => {{
  const now = document.querySelector("{FIRST}")?.textContent;
  if (now !== window.seen.at(-1)) window.seen.push(now);
}}).observe(document.querySelector(".sd-tools"), {{ childList: true, subtree: true }});
window.slow = true;"""
PICK = """(name) => [...document.querySelectorAll(".sd-tools .list input")]
    .find((one) => one.value === name).click()"""


@pytest.mark.parametrize("way", WAYS)
def test_what_was_asked_last_is_shown_last(visit: Opening, way: str) -> None:
    with visit("?tab=tools", script=SLOW % WAYS[way]) as (page, _):
        expect(page.locator(FIRST).first).to_have_text("tuned")
        page.evaluate(RECORD)
        page.evaluate(PICK, "join")
        if way == "end":
            expect(page.locator(FIRST).first).to_have_text("loras")
        page.evaluate(PICK, "verify")
        page.wait_for_function("window.seen.at(-1) === 'file' && window.seen.at(-2) === 'loras'")
