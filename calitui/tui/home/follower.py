"""The thread that follows the cluster for the home screen: inventories in, messages out.

This module must not touch a widget: it only posts.
"""

from __future__ import annotations

import threading

from textual.message_pump import MessagePump

from calitui.errors import CalituiError
from calitui.session import Session
from calitui.tui.background import post, start
from calitui.tui.home.roster import Roster
from calitui.tui.messages import FollowEnded, InventoryArrived


class Follower:
    """Follows one session for one screen; `again` starts over after an error."""

    def __init__(self, session: Session, screen: MessagePump) -> None:
        """Nothing happens before `again`."""
        self.session = session
        self.screen = screen
        self.run = 0
        self._stop = threading.Event()

    def again(self) -> None:
        """Leave what is under way and follow anew."""
        self.stop()
        self.run += 1
        self._stop = threading.Event()
        run, stop, roster = self.run, self._stop, Roster()

        def follow() -> None:
            previous = roster
            for inventory in self.session.follow(stop):
                if stop.is_set():
                    return
                previous = Roster(inventory.cluster.pods, previous)
                post(self.screen, InventoryArrived(run, inventory, previous))
            post(self.screen, FollowEnded(run, None))

        def failed(error: CalituiError) -> None:
            post(self.screen, FollowEnded(run, error))

        start("follow", follow, failed)

    def stop(self) -> None:
        """Ask the thread to end; it may take its time."""
        self._stop.set()
