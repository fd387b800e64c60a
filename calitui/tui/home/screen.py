"""The home screen: the pods of the cluster, live, and the two that are asked about.

Threads bring inventories and long filters as messages; every change of a widget happens here.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from calitui.errors import CalituiError
from calitui.facts.cluster import Freshness, Inventory
from calitui.facts.text import clean
from calitui.session import Session
from calitui.tui.actions import EVERYWHERE, HOME, bindings
from calitui.tui.background import post, start
from calitui.tui.home import columns, empty, summary
from calitui.tui.home.filter import EVERYTHING, FilterError, parse
from calitui.tui.home.filterline import FilterInput
from calitui.tui.home.follower import Follower
from calitui.tui.home.keys import labels
from calitui.tui.home.marks import End, Marks, end_of, refusal, sentence
from calitui.tui.home.podlist import PodList
from calitui.tui.home.roster import Roster, Scan, order
from calitui.tui.lines import KeyBar, Line
from calitui.tui.messages import FollowEnded, InventoryArrived, MeshWanted, ScanEnded, TraceWanted
from calitui.tui.text import count
from calitui.tui.unread import UnreadScreen

FRAME = 0.006
"""Seconds a filter may work before the rest of it goes to a thread."""


class HomeScreen(Screen[None]):
    """The list and everything around it."""

    CSS_PATH = "home.tcss"
    BINDINGS = bindings(HOME)
    AUTO_FOCUS = "PodList"

    def __init__(
        self, session: Session, now: Callable[[], float], source: str | None = None, namespace: str | None = None
    ) -> None:
        """`source` is marked from the start, as far as it names a pod; only `namespace` is listed if it is given."""
        super().__init__()
        self.session = session
        self.now = now
        self.follower = Follower(session, self)
        self.inventory: Inventory | None = None
        self.error: CalituiError | None = None
        self.roster = Roster()
        self.marks = Marks(End(source) if source else None)
        self.scan = Scan(self.roster, EVERYTHING, namespace)
        self.filter = EVERYTHING
        self.filter_text = ""
        self.filter_error = ""
        self.namespace = namespace

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Line(id="title")
        yield Line(id="facts")
        with Horizontal(id="filter-line"):
            yield Static("/", id="slash", markup=False)
            yield FilterInput(id="filter")
            yield Line(id="filter-state")
        yield Line(id="columns")
        yield PodList(self._age_base, id="pods")
        yield Static("", id="empty", markup=False)
        yield Line(id="stale")
        yield Line(id="missing")
        yield Line(id="marks")
        yield KeyBar(HOME, EVERYWHERE)

    def on_mount(self) -> None:
        """Follow the cluster; let ages go on once a minute where they can change."""
        self._describe()
        self._list()
        self.follower.again()
        if not self.session.recorded:
            self.set_interval(60, self.pods.refresh)

    def on_unmount(self) -> None:
        """Nobody listens any more."""
        self.follower.stop()
        self.scan.cancelled = True

    @property
    def pods(self) -> PodList:
        """The list."""
        return self.query_one(PodList)

    def _age_base(self) -> float:
        """Ages in a recording are those of the moment it was made."""
        if self.session.recorded and self.inventory is not None and self.inventory.cluster.read_at:
            return self.inventory.cluster.read_at
        return self.now()

    # what arrives

    @on(InventoryArrived)
    def _arrived(self, message: InventoryArrived) -> None:
        if message.run != self.follower.run:
            return
        self.inventory, self.roster, self.error = message.inventory, message.roster, None
        self._resolve_source()
        self._describe()
        self._evaluate()

    @on(FollowEnded)
    def _ended(self, message: FollowEnded) -> None:
        if message.run != self.follower.run or message.error is None:
            return
        self.error = message.error
        if self.inventory is not None:
            since = self.inventory.since or self.now()
            self.inventory = Inventory(self.inventory.cluster, Freshness.STALE, since, str(message.error))
        self._describe()
        self._list()

    @on(ScanEnded)
    def _scanned(self, message: ScanEnded) -> None:
        if message.scan is self.scan:
            self._list()

    # the list

    def _evaluate(self) -> None:
        """Filter anew: in this frame if it is quick, else on a thread; the old result stays until then."""
        self.scan.cancelled = True
        scan = self.scan = Scan(self.roster, self.filter, self.namespace)
        if scan.step(FRAME):
            self._list()
            return
        self._describe_filter()

        def finish() -> None:
            if scan.finish():
                post(self, ScanEnded(scan))

        def failed(error: CalituiError) -> None:
            post(self, FollowEnded(self.follower.run, error))

        start("filter", finish, failed)

    def _list(self) -> None:
        rows = self.scan.rows
        self.pods.show(rows, self.roster.naturals)
        self.set_class(not rows, "-empty")
        if not rows:
            self.query_one("#empty", Static).update(
                empty.reason(self.inventory, self.error, self.filter_text, self.namespace, self.session.origin)
            )
        self._describe_filter()
        self._describe_marks()

    def _describe(self) -> None:
        """The header and what is missing."""
        right = summary.freshness(self.inventory, self.error is not None, self.now())
        self.query_one("#title", Line).show(summary.title(self.session.origin, self.namespace), right)
        cluster = self.inventory.cluster if self.inventory is not None else None
        self.query_one("#facts", Line).show(summary.facts(cluster) if cluster is not None else [])
        stale, unread = summary.age_warning(self.inventory), summary.unread(self.inventory)
        self.set_class(bool(stale), "-stale")
        self.query_one("#stale", Line).show(stale)
        self.set_class(bool(unread), "-missing")
        more = Content.assemble(("u", "bold $link"), " shows all" if len(unread) > 1 else " shows it")
        self.query_one("#missing", Line).show(unread, more)

    def _describe_filter(self) -> None:
        shown, total = len(self.scan.rows), count(len(self.roster), "pod")
        state = Content.styled(f"{shown:,} of {total}", "$dim")
        if self.filter_error:
            state = Content.styled(f"✖ {clean(self.filter_error)}", "bold $bad")
        elif not self.scan.complete:
            state = Content.styled(f"◌ looking through {total}", "$warn")
        self.query_one("#filter-state", Line).show([], state)

    @on(PodList.CursorMoved)
    def _describe_marks(self) -> None:
        self.query_one("#columns", Line).show([Content(columns.header(self.pods.columns))])
        line = self.query_one("#marks", Line)
        line.show(sentence(self.marks, self.pods.current, self.size.width))
        self.pods.mark(self.marks.letters)
        self._name_keys()

    def on_resize(self) -> None:
        """The sentence has another width."""
        self._describe_marks()

    def _name_keys(self) -> None:
        words = labels(
            typing=self.query_one(FilterInput).has_focus,
            source_marked=self.marks.source is not None,
            missing=self.inventory is not None and bool(self.inventory.cluster.missing),
            one_namespace=self.namespace is not None,
            failed=self.error is not None,
        )
        self.query_one(KeyBar).rename(words)

    def _say(self, text: str) -> None:
        self.query_one(KeyBar).say(Content.styled(clean(text), "bold $warn"))

    def on_key(self) -> None:
        """A message has been read once a key is pressed."""
        self.query_one(KeyBar).say(None)

    # marks

    def _resolve_source(self) -> None:
        source = self.marks.source
        if source is None or source.key is not None:
            return
        for pod in self.roster.pods:
            if source.target in (f"{pod.namespace}/{pod.name}", pod.name) or source.target in pod.ips:
                self.marks = Marks(end_of(pod))
                return

    @on(PodList.Chosen)
    def action_mark(self) -> None:
        """Mark the pod under the cursor; a destination opens the trace."""
        pod = self.pods.current
        if pod is None:
            return
        why_not = refusal(pod)
        if why_not is not None:
            self._say(why_not)
            return
        source = self.marks.source
        if source is None:
            self.marks = Marks(end_of(pod))
            self._describe_marks()
            return
        if source.key == order(pod):
            self._say(f"{source.target} is the source already. Mark another pod as the destination, Esc unmarks")
            return
        self.marks = Marks(source, end_of(pod))
        self._describe_marks()
        self.post_message(TraceWanted(source.target, f"{pod.namespace}/{pod.name}"))

    def action_back(self) -> None:
        """Take back the newest thing: the filter, a mark, the namespace."""
        if self.filter_text or self.has_class("-filtering"):
            self._clear_filter()
        elif self.marks.source is not None:
            self.marks = self.marks.undone()
            self._describe_marks()
        elif self.namespace is not None:
            self.action_all_namespaces()

    # filter and namespace

    def action_filter(self) -> None:
        """Type a filter; the first letter replaces an old one, an arrow keeps it."""
        self.add_class("-filtering")
        field = self.query_one(FilterInput)
        field.focus()
        field.select_all()
        self._name_keys()
        self._describe_filter()

    def _clear_filter(self) -> None:
        field = self.query_one(FilterInput)
        with field.prevent(Input.Changed):
            field.value = ""
        self._apply_filter("")
        self._leave_filter()

    def _leave_filter(self) -> None:
        self.set_class(bool(self.filter_text), "-filtering")
        self.pods.focus()
        self._name_keys()

    def _apply_filter(self, text: str) -> None:
        self.filter_text = text
        try:
            self.filter, self.filter_error = parse(text), ""
        except FilterError as error:
            self.filter_error = str(error)
            self._describe_filter()
            return
        self._evaluate()

    @on(Input.Changed, "#filter")
    def _typed(self, message: Input.Changed) -> None:
        self._apply_filter(message.value)

    @on(Input.Submitted, "#filter")
    def _submitted(self) -> None:
        self._leave_filter()

    @on(FilterInput.Left)
    def _left(self) -> None:
        self._clear_filter()

    @on(FilterInput.Moved)
    def _moved(self, message: FilterInput.Moved) -> None:
        if isinstance(message.step, float):
            self.pods.action_page(message.step)
        else:
            self.pods.action_cursor(message.step)

    def action_namespace(self) -> None:
        """Only the namespace under the cursor."""
        if self.pods.current is not None:
            self._keep_to(self.pods.current.namespace)

    def action_all_namespaces(self) -> None:
        """All namespaces."""
        self._keep_to(None)

    def _keep_to(self, namespace: str | None) -> None:
        self.namespace = namespace
        self._describe()
        self._evaluate()

    def action_mesh(self) -> None:
        """Look at the whole cluster."""
        self.post_message(MeshWanted())

    def action_unread(self) -> None:
        """Everything that was not read."""
        missing = self.inventory.cluster.missing if self.inventory is not None else ()
        if missing:
            self.app.push_screen(UnreadScreen(missing))
        else:
            self._say("Everything that was asked for has been read")

    def action_again(self) -> None:
        """Connect again, when nothing follows the cluster."""
        if self.error is None:
            self._say("The list follows the cluster by itself" if not self.session.recorded else "This is a recording")
            return
        self.error = None
        self._describe()
        self._list()
        self.follower.again()
