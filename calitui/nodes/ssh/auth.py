"""Logging in: the agent, keys, certificates, and what a person types, in the order in which OpenSSH tries them.

This module must not know hosts' keys: it is handed a transport whose server is already the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import paramiko

from calitui.errors import NodeError
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline
from calitui.nodes.ssh.keys import Keyring, Offer, SocketAgent, agent_offers, file_offers, offers_of
from calitui.nodes.ssh.prompts import MOST_FIELDS, Asking, SecretField, SecretQuestion, interactive_question
from calitui.nodes.ssh.target import Target

METHODS = ("publickey", "keyboard-interactive", "password")
"""What can be tried, in this order."""
MANY_KEYS = 4
"""Attempts after which a server that hangs up has probably had enough (MaxAuthTries is 6 by default)."""
MOST_STAGES = 6
"""Methods a server may want one after another; more are no login."""


class Login:
    """One attempt to log in at `target`; says afterwards what was tried."""

    def __init__(
        self,
        transport: paramiko.Transport,
        target: Target,
        node: str,
        keyring: Keyring,
        passwords: dict[str, str],
        asking: Asking,
        deadline: Deadline,
    ) -> None:
        """`passwords` are those that worked before in this session, by `user@host:port`."""
        self._transport = transport
        self._target = target
        self._node = node
        self._keyring = keyring
        self._passwords = passwords
        self._asking = asking
        self._deadline = deadline
        self._tried: list[str] = []
        self._declined: list[str] = []
        self._agent: SocketAgent | None = None
        self._agent_trouble = ""

    def run(self) -> None:
        """Log in.

        Raises:
            NodeError: the server accepts none of what there is.
        """
        try:
            self._run()
        finally:
            if self._agent is not None:
                self._agent.close()

    def _run(self) -> None:
        accepted = self._none()
        if not accepted:
            return
        offers = self._offers()
        exhausted: set[str] = set()
        for _ in range(MOST_STAGES):
            for method in METHODS:
                if method not in accepted or method not in self._target.methods or method in exhausted:
                    continue
                wanted = self._try(method, offers)
                if wanted is None:
                    exhausted.add(method)
                elif not wanted:
                    return
                else:
                    accepted = wanted
                    break
            else:
                break
        raise self._failure(accepted)

    def _none(self) -> Sequence[str]:
        """What the server accepts; nothing means that it let us in without asking for anything."""
        try:
            wanted: Sequence[str] = self._transport.auth_none(self._target.user)
        except paramiko.BadAuthenticationType as error:
            return error.allowed_types
        except paramiko.SSHException:
            if not self._transport.is_active():
                raise self._hung_up() from None
            return METHODS
        return wanted

    def _try(self, method: str, offers: Iterator[Offer]) -> Sequence[str] | None:
        if method == "publickey":
            return self._publickey(offers)
        attempts = max(1, min(self._target.password_prompts, 6))
        for attempt in range(1, attempts + 1):
            run = self._interactive if method == "keyboard-interactive" else self._password
            wanted, again = run(attempt)
            if wanted is not None or not again:
                return wanted
        return None

    def _publickey(self, offers: Iterator[Offer]) -> Sequence[str] | None:
        for offer in offers:
            self._tried.append(offer.label)
            wanted = self._attempt(partial(self._transport.auth_publickey, self._target.user, offer.key))
            if wanted is not None:
                return wanted
        return None

    def _offers(self) -> Iterator[Offer]:
        if self._target.agent:
            try:
                self._agent = SocketAgent(self._target.agent)
            except (OSError, paramiko.SSHException) as error:
                self._agent_trouble = f"agent at {self._target.agent}: {clean(str(error))}"
            else:
                yield from agent_offers(self._agent, self._target)
        locked: list[str] = []
        yield from file_offers(self._target, self._keyring, locked)
        for path in locked:
            key = self._decrypt(path)
            if key is None:
                self._declined.append(f"{path} needs its passphrase")
            else:
                yield from offers_of(path, key, self._target)

    def _decrypt(self, path: str) -> paramiko.PKey | None:
        with self._asking.turn(self._deadline) as prompts:

            def passphrase(file: str, attempt: int) -> str | None:
                fields = (SecretField("Passphrase"),)
                answers = prompts.secret(SecretQuestion("passphrase", self._node, file, fields, attempt=attempt))
                return answers[0] if answers else None

            return self._keyring.decrypt(path, passphrase)

    def _ask(self, question: SecretQuestion) -> tuple[str, ...] | None:
        with self._asking.turn(self._deadline) as prompts:
            return prompts.secret(question)

    def _interactive(self, attempt: int) -> tuple[Sequence[str] | None, bool]:
        asked = declined = False

        def answer(title: str, instructions: str, fields: list[tuple[str, bool]]) -> list[str]:
            nonlocal asked, declined
            if not fields or declined or len(fields) > MOST_FIELDS:
                declined = declined or len(fields) > MOST_FIELDS
                return [""] * len(fields)
            asked = True
            question = interactive_question(self._node, self._target.login, title, instructions, fields, attempt)
            answers = self._ask(question)
            declined = answers is None or len(answers) != len(fields)
            return [""] * len(fields) if answers is None or declined else list(answers)

        wanted = self._attempt(lambda: self._transport.auth_interactive(self._target.user, answer))
        if declined:
            self._declined.append("nobody answered the server's question")
        elif asked or wanted is None:
            self._tried.append("keyboard-interactive")
        return wanted, asked and not declined

    def _password(self, attempt: int) -> tuple[Sequence[str] | None, bool]:
        login = self._target.login
        password = self._passwords.get(login) if attempt == 1 else None
        if password is None:
            question = SecretQuestion("password", self._node, login, (SecretField("Password"),), attempt=attempt)
            answers = self._ask(question)
            if not answers:
                self._declined.append("nobody gave a password")
                return None, False
            password = answers[0]
        self._tried.append("password")
        wanted = self._attempt(lambda: self._transport.auth_password(self._target.user, password, fallback=False))
        if wanted is None:
            self._passwords.pop(login, None)
        else:
            self._passwords[login] = password
        return wanted, True

    def _attempt(self, send: Callable[[], Sequence[str]]) -> Sequence[str] | None:
        """What the server wants next (nothing: we are in), or None when it refused."""
        try:
            return send()
        except paramiko.SSHException:
            if not self._transport.is_active():
                raise self._hung_up() from None
            return None

    def _hung_up(self) -> NodeError:
        tried = f" after {len(self._tried)} attempts ({_listed(self._tried)})" if self._tried else ""
        hint = "It may refuse this user, or have waited too long for an answer (LoginGraceTime): try again"
        if len(self._tried) >= MANY_KEYS:
            hint = "With many keys in the agent set IdentitiesOnly yes and an IdentityFile in the ssh config"
        return NodeError(f"{self._target.login} closed the connection during the login{tried}", hint)

    def _failure(self, accepted: Sequence[str]) -> NodeError:
        tried = f"refused {_listed(self._tried)}" if self._tried else "there was nothing to log in with"
        parts = [f"{self._target.login}: {tried}", f"it accepts {clean(', '.join(accepted)) or 'nothing'}"]
        parts += [*dict.fromkeys(self._declined), *([self._agent_trouble] if self._agent_trouble else [])]
        user = f"Check the user (--ssh-user, now {self._target.user})"
        return NodeError(
            "; ".join(parts), f"{user} and that `{self._target.command}` works, or load a key with ssh-add"
        )


def _listed(names: Sequence[str]) -> str:
    shown = list(dict.fromkeys(names))
    return ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")
