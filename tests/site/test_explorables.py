"""The interactive figures in the built pages, by mouse, keyboard and touch, over http and as files.

`make book` builds the pages first; without a browser these tests are skipped and say so.
"""

import re
from pathlib import Path

import pytest
from browsers import PATIENCE, arriving, drawn, follow, meeting, nudge, open_more, serving, settle
from bs4 import BeautifulSoup

pytest.importorskip("anywidget", reason="anywidget is not installed")
from rnncourse.explorables.base import expression, kit_script

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
PLACES = {
    "unroll": "book/1-structure/any-length.html",
    "unit": "book/1-structure/one-unit.html",
    "paths": "book/2-backpropagation/paths.html",
    "lag": "book/3-gradients/foretell.html",
    "cliff": "book/3-gradients/cliff.html",
    "gates": "book/4-lstm/cell.html",
    "carousel": "book/4-lstm/forget-bias.html",
    "activations": "book/4-lstm/watched.html",
    "playground": "book/playground.html",
    "writer": "book/your-text.html",
}
STARTS = {"playground": "Train", "writer": "Train"}  # the button that does so, if it is not Play
PAGES = sorted(set(PLACES.values()))


@pytest.fixture(scope="module")
def addresses():
    """Where the site is, by the way of reading it."""
    with serving(SITE) as address:
        yield {"http": address, "file": SITE.as_uri() + "/"}


class Figure:
    """One explorable on its page, in a window of its own."""

    def __init__(self, browser, address, name, hash="", clock=False, more=True, **context):
        self.name, self.trouble, self.base, self.more = name, [], address, more
        context = {"viewport": {"width": 1280, "height": 900}, **context}
        self.context = browser.new_context(**context)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        if clock:  # time that can be moved on
            self.page.clock.install()
        self.page.on("pageerror", lambda e: self.trouble.append(f"error: {e}"))
        self.page.on("console", lambda m: m.type == "error" and self.trouble.append(m.text))
        self.page.on("request", self._request)
        self.page.on("requestfailed", lambda r: self.trouble.append(f"failed: {r.url}"))
        self.page.goto(address + PLACES[name] + hash)
        self.root = self.page.locator(f'[data-explorable="{name}"] .rnnx')

    def _request(self, request):
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.trouble.append(f"leaves the site: {request.url}")

    def __enter__(self):
        self.root.wait_for()
        self.root.scroll_into_view_if_needed()
        if self.more:
            open_more(self.root)
        self.settle()
        return self

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None:
            assert self.trouble == []

    @property
    def state(self):
        return self.root.evaluate("e => ({ ...e.explorable.state })")

    def settle(self):
        """Wait until a change is drawn."""
        drawn(self.page)

    def reset(self):
        self.root.get_by_role("button", name="Reset").click()
        self.settle()
        return self.state

    def drawn(self):
        """All that is drawn, and the numbers beside the sliders."""
        return self.root.evaluate(
            "e => [...e.querySelectorAll('svg, .value')].map(x => x.innerHTML).join()"
        )

    def handle(self, kind):
        """Return a place in the window where the thing to drag can be taken hold of."""
        place = self.root.evaluate(
            """(e, kind) => {
              for (const part of e.querySelectorAll(`[data-drag="${kind}"]`)) {
                part.scrollIntoView({ block: "center", behavior: "instant" });
                const box = part.getBoundingClientRect();
                const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                const hit = document.elementFromPoint(x, y)?.closest("[data-drag]");
                if (hit?.dataset.drag === kind && e.contains(hit)) return [x, y];
              }
            }""",
            kind,
        )
        assert place, f"{kind} is not to be found under its own middle"
        return place

    def handles(self):
        """Return the kinds of things that can be dragged."""
        return self.root.evaluate(
            "e => [...new Set([...e.querySelectorAll('[data-drag]')].map(x => x.dataset.drag))]"
        )


@pytest.fixture(scope="module", params=["http", "file"])
def way(request):
    return request.param


@pytest.fixture(scope="module", params=PLACES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def figure(browser, addresses, name, way):
    with Figure(browser, addresses[way], name) as shown:
        yield shown


def test_it_is_drawn_and_told(figure):
    figure.reset()
    assert figure.root.locator(".summary").inner_text().strip()
    svgs = figure.root.locator("svg[role=img]")
    assert svgs.count() >= 1
    for svg in svgs.all():
        assert svg.get_attribute("aria-label").strip()
        # A worker may have something to find out first.
        figure.page.wait_for_function("e => e.childElementCount > 3", arg=svg.element_handle())


def test_the_picture_comes_first_and_fits_a_phone_with_what_works_it(browser, addresses, name):
    phone = {"viewport": {"width": 390, "height": 844}}
    with Figure(browser, addresses["file"], name, more=False, **phone) as figure:
        top = figure.root.bounding_box()["y"]
        assert not figure.root.locator(".more").evaluate("more => more.open")
        picture = figure.root.locator("svg[role=img]").first.bounding_box()
        assert picture["y"] - top < 110
        assert picture["height"] > 100
        controls = figure.root.locator("> .controls")
        assert controls.locator("input, button").count() >= 2
        box = controls.bounding_box()
        assert box["y"] > picture["y"] + picture["height"]
        assert box["y"] + box["height"] - top <= 780
        start = STARTS.get(name, "Play")
        assert figure.root.get_by_role("button", name=start, exact=True).is_visible()


def test_few_words_stand_before_a_figure(name):
    page = BeautifulSoup((SITE / PLACES[name]).read_text(encoding="utf-8"), "html.parser")
    cell = page.find(id=f"explore-{name}").find_parent("div", class_="cell")
    words = 0
    for before in cell.find_previous_siblings():
        if before.name != "p":  # a heading, a question, another cell
            break
        words += len(before.get_text().split())
    assert words <= 30


def test_every_control_answers_to_the_keyboard(figure):
    page, root = figure.page, figure.root
    sliders = root.locator("input[type=range]")
    assert sliders.count() >= 1
    for slider in sliders.all():
        figure.reset()
        if not slider.is_visible() or slider.is_disabled():
            continue
        before, drawn = figure.state, figure.drawn()
        nudge(slider)
        figure.settle()
        key = slider.get_attribute("name")
        assert figure.state != before, f"slider {key}"
        assert figure.drawn() != drawn, f"slider {key}"
    for kind, key in (("[type=checkbox]", "Space"), ("[type=radio]:checked", "ArrowDown")):
        for box in root.locator(f"input{kind}").all():
            before = figure.reset()
            box.focus()
            page.keyboard.press(key)
            figure.settle()
            assert figure.state != before
    index = 0
    while index < root.get_by_role("button").count():  # some come and go with what is chosen
        root.get_by_role("button").nth(index).focus()
        page.keyboard.press("Enter")
        figure.settle()
        index += 1
    figure.reset()


def test_tab_reaches_every_control_and_the_focus_shows(figure):
    figure.reset()
    figure.root.locator(":is(button, input, select):visible:enabled").first.focus()
    figure.page.keyboard.press("Shift+Tab")
    reached = set()
    for _ in range(80):
        figure.page.keyboard.press("Tab")
        place = figure.root.evaluate(
            """e => { const at = document.activeElement;
            const all = [...e.querySelectorAll('button, input, select, textarea, summary')];
            return e.contains(at) ? all.indexOf(at) : null; }"""
        )
        if place is None and reached:
            break
        if place is None:  # the mouse shows the link of a heading, which stands before the figure
            continue
        reached.add(place)
        style = figure.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none"
    wanted = figure.root.evaluate(
        """e => [...e.querySelectorAll('button, input, select, textarea, summary')]
        .map((x, i) => [x, i])
        .filter(([x]) => x.offsetParent && !x.disabled && !(x.type === 'radio' && !x.checked))
        .map(([, i]) => i)"""
    )
    assert set(wanted) <= reached


def test_mouse_moves_sliders_and_handles(figure):
    page, root = figure.page, figure.root
    before = figure.reset()
    slider = root.locator("input[type=range]:visible:enabled").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    high = slider.evaluate("e => (e.value - e.min) / (e.max - e.min) > 0.5")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (0.2 if high else 0.8), box["y"] + 5, steps=4)
    page.mouse.up()
    figure.settle()
    assert figure.state != before
    for kind in figure.handles()[:4]:
        before = figure.reset()
        x, y = figure.handle(kind)
        page.mouse.move(x, y)
        page.mouse.down()
        for sign in (-1, 1):  # one of the two ways is open
            page.mouse.move(x + 60 * sign, y + 40 * sign, steps=3)
            figure.settle()
            if figure.state != before:
                break
        page.mouse.up()
        assert figure.state != before, f"handle {kind}"
    clickable = root.locator("[data-click]")
    if clickable.count():
        before = figure.reset()
        for index in range(clickable.count()):
            clickable.nth(index).click(force=True)
            figure.settle()
            if figure.state != before:
                break
        assert figure.state != before, "nothing that can be clicked answers"
    figure.reset()


def test_reset_and_link(figure, browser, addresses, way, name):
    default = figure.reset()
    nudge(figure.root.locator("input[type=range]:visible:enabled").last)
    figure.settle()
    changed = figure.state
    assert changed != default
    figure.root.get_by_role("button", name="Link").click()
    given = figure.page.evaluate("location.hash")
    assert given.startswith(f"#explore-{name}?")
    assert figure.reset() == default
    with Figure(browser, addresses[way], name, hash=given) as other:
        assert other.state == changed


BAD_LINKS = [  # the first one is there when the page is opened, the others come later
    "#explore-{}?{}=%E0%A4%A",
    "#foreign",
    "#explore-{}?nonsense=1",
    "#explore-{}?{}=1e99",
    "#explore-{}?{}=x",
    "#explore-{}?__proto__=1",
    "#explore-{}?{}=constructor",
    "#explore-{}?{}",
]


def test_a_damaged_link_is_ignored(browser, addresses, name):
    first, *others = BAD_LINKS
    with Figure(browser, addresses["file"], name) as fresh:
        default, key = fresh.state, next(iter(fresh.state))
        for bad in others:
            follow(fresh.page, bad.format(name, key))
            assert fresh.state == default, bad
    with Figure(browser, addresses["file"], name, hash=first.format(name, key)) as shown:
        assert shown.state == default


def test_touch(browser, addresses, name):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with Figure(browser, addresses["http"], name, **phone) as figure:
        page, root = figure.page, figure.root
        client = figure.context.new_cdp_session(page)

        def drag(x, y, dx, dy):
            for kind, k in [("touchStart", 0), *(("touchMove", k / 4) for k in range(1, 5))]:
                points = [{"x": x + dx * k, "y": y + dy * k}]
                client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            figure.settle()

        before = figure.state
        slider = root.locator("input[type=range]:visible:enabled").first
        high = slider.evaluate("e => (e.value - e.min) / (e.max - e.min) > 0.5")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        drag(*middle, -60 if high else 60, 0)
        assert figure.state != before
        for kind in figure.handles()[:2]:
            root.get_by_role("button", name="Reset").tap()
            figure.settle()
            before = figure.state
            for sign in (1, -1):  # one of the two ways is open
                if figure.state == before:
                    drag(*figure.handle(kind), 40 * sign, -40 * sign)
            assert figure.state != before, f"handle {kind}"


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("page_name", PAGES)
def test_all_fits_and_can_be_hit_and_print_has_the_pictures(browser, addresses, page_name, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(addresses["file"] + page_name)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for root in page.locator(".rnnx").all():
        beyond = root.evaluate(
            """e => { const box = e.getBoundingClientRect();
            return [...e.querySelectorAll('text, button, input, .value, .summary')]
              .filter(x => { const b = x.getBoundingClientRect();
                return b.width && (b.left < box.left - 1 || b.right > box.right + 1); })
              .map(x => x.textContent); }"""
        )
        assert beyond == []
        # A box to tick is hit by its label too.
        small = root.evaluate(
            """e => [...e.querySelectorAll(
                'button, select, [type=range], label:not(.slider), [data-drag]')]
              .filter(x => x.checkVisibility())
              .map(x => [x.outerHTML.slice(0, 90), x.getBoundingClientRect()])
              .filter(([, b]) => b.width && Math.min(b.width, b.height) < 23.9)
              .map(([html, b]) => [html, b.width, b.height])"""
        )
        assert small == []
        assert meeting(root) == []
    page.emulate_media(media="print")
    for root in page.locator(".rnnx").all():
        assert root.locator("svg").first.is_visible()
        assert not root.locator(".controls").first.is_visible()
        assert root.get_by_role("button").count() == 0
    page.close()


def test_reduced_motion_is_respected(browser, addresses, name):
    window = {"reduced_motion": "reduce"}
    with Figure(browser, addresses["file"], name, clock=True, **window) as figure:
        play = figure.root.get_by_role("button", name="Play", exact=True)
        for index in range(play.count()):
            before = figure.reset()
            play.nth(index).click()
            figure.settle()
            after = figure.state
            figure.page.clock.run_for(5000)
            assert figure.state == after, "it goes on by itself"
            assert after == before or play.nth(index).inner_text() == "Play"


@pytest.mark.parametrize("page_name", PAGES)
def test_without_javascript_there_is_a_picture_and_a_sentence(browser, addresses, page_name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(addresses["file"] + page_name)
    names = [name for name, place in PLACES.items() if place == page_name]
    for name in names:
        place = page.locator(f"#explore-{name}")
        picture = place.locator("img")
        assert len(picture.get_attribute("alt")) > 40
        box = picture.bounding_box()
        assert box["width"] > 300
        assert box["height"] > 100
        assert "JavaScript" in place.inner_text()
    context.close()


def test_the_playground_is_one_file_that_pages_share():
    code = expression("playground")
    script = (SITE / "_static" / "playground.js").read_text(encoding="utf-8")
    assert script == f"rnncourse.playground = {code};\n"
    texts = [page.read_text(encoding="utf-8") for page in (SITE / "book").rglob("*.html")]
    users = [text for text in texts if 'data-explorable="playground"' in text]
    assert len(users) > 3
    for text in users:
        assert code not in text
        head = BeautifulSoup(text[: text.index("</head>")], "html.parser")
        files = [re.sub(r".*/|\?.*", "", one["src"]) for one in head.find_all("script", src=True)]
        assert files.index("explorables.js") < files.index("playground.js")


@pytest.mark.parametrize("page_name", PAGES)
def test_the_kit_is_one_file_that_pages_share(page_name):
    page = BeautifulSoup((SITE / page_name).read_text(encoding="utf-8"), "html.parser")
    scripts = page.find_all("script", src=re.compile(r"/explorables\.js"))
    assert len(scripts) == 1
    assert ".rnnx" in (SITE / "_static" / "site.css").read_text(encoding="utf-8")
    # It is there when the parser meets a figure.
    assert not {"defer", "async", "type"} & set(scripts[0].attrs)
    assert scripts[0].find_parent("head")
    assert page.find_all("script", type="module") == []
    assert kit_script() not in page.decode()
    assert (SITE / "_static" / "explorables.js").read_text(encoding="utf-8") == kit_script()
    names = [name for name, place in PLACES.items() if place == page_name]
    for name in names:
        figure = page.find(id=f"explore-{name}")
        assert figure["data-explorable"] == name
        assert figure.find_next_sibling().name == "script"
        assert not re.search(r"[\s\"<>\\^`{|}\[\]]", figure.img["src"])
    assert page.body.find_all("style") == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page_name", PAGES)
def test_figures_answer_while_the_page_still_arrives_and_keep_their_height(
    browser, page_name, width
):
    content = (SITE / page_name).read_bytes()
    end = content.index(b"</script>", content.rindex(b"rnncourse.start(")) + len(b"</script>")
    with arriving(SITE, page_name, end) as (address, rest):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.goto(address + page_name, wait_until="commit")
        names = re.findall(r'data-explorable="(\w+)"', content.decode())
        for name in names:
            page.locator(f"#explore-{name} .summary").wait_for()
        sizes = """() => [...document.querySelectorAll(".rnnx")].map((e) => {
          const { width, height } = e.getBoundingClientRect();
          return [width, height];
        })"""
        before = page.evaluate(sizes)
        assert len(before) == len(names)
        for name in names:
            root = page.locator(f"#explore-{name} .rnnx")
            state = root.evaluate("e => ({ ...e.explorable.state })")
            nudge(root.locator("input[type=range]:visible:enabled").first)
            assert root.evaluate("e => ({ ...e.explorable.state })") != state
            root.get_by_role("button", name="Reset").click()
        assert page.evaluate("document.readyState") == "loading"
        rest.set()
        page.wait_for_load_state()
        settle(page)
        assert page.evaluate(sizes) == before
        page.close()


def test_a_story_opens_the_playground_with_its_settings(browser, addresses):
    with Figure(browser, addresses["file"], "playground", more=False) as figure:
        for words, wanted in (("a forget bias of 4", "lstm"), ("a lag of 5", "rnn")):
            figure.page.get_by_role("link", name=f"Set the figure to {words}").click()
            figure.page.wait_for_function("scrollY < 600")
            figure.settle()
            assert figure.state["layer"] == wanted
        assert figure.state["lag"] == 5
        figure.root.get_by_role("button", name="Train", exact=True).click()
        figure.root.locator("svg text", has_text="solved at update").wait_for()
