"""Questions of connections: asked on a thread, answered at the screen, refused when nobody can answer."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from calitui.nodes.ssh.prompts import HostKeyQuestion, Prompts, SecretField, SecretQuestion
from calitui.tui.dialogs import HostKeyScreen, SecretScreen
from calitui.tui.prompts import TuiPrompts
from tests.tui.driving import Driven, opened

KEY = HostKeyQuestion(
    node="k8s-calico2",
    name="[10.173.32.23]:2222",
    address="10.173.32.23:2222",
    key_type="ssh-ed25519",
    fingerprint="SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    file="/home/me/.ssh/known_hosts",
)
LOGIN = SecretQuestion(
    kind="keyboard-interactive",
    node="k8s-calico2",
    target="root@10.173.32.23:22",
    fields=(SecretField("Password [red]"), SecretField("One-time code", echo=True)),
    instructions="[b]Use your token[/b]",
    attempt=2,
)


async def answered(driven: Driven, answer: Future[object]) -> object:
    await driven.until(answer.done)
    return answer.result()


async def test_a_host_key_is_accepted_only_by_y() -> None:
    prompts: Prompts = TuiPrompts()
    assert isinstance(prompts, TuiPrompts)
    with ThreadPoolExecutor(1) as reader:
        async with opened(prompts=prompts) as driven:
            await driven.until_pods()
            for key, accepted in (("y", True), ("n", False), ("escape", False)):
                answer: Future[object] = reader.submit(partial(prompts.confirm_host_key, KEY))
                await driven.until(lambda: isinstance(driven.app.screen, HostKeyScreen))
                assert KEY.fingerprint in driven.text
                assert "[10.173.32.23]:2222" in driven.text
                await driven.press("enter")
                assert isinstance(driven.app.screen, HostKeyScreen)
                await driven.press(key)
                assert await answered(driven, answer) is accepted


async def test_secrets_are_typed_unseen_and_returned_in_order() -> None:
    prompts = TuiPrompts()
    with ThreadPoolExecutor(1) as reader:
        async with opened(prompts=prompts) as driven:
            await driven.until_pods()
            answer: Future[object] = reader.submit(partial(prompts.secret, LOGIN))
            await driven.until(lambda: isinstance(driven.app.screen, SecretScreen))
            for words in ("Password [red]", "[b]Use your token[/b]", "The last answer was wrong (attempt 2)"):
                assert words in driven.text
            await driven.press(*"s3cr3t")
            assert "s3cr3t" not in driven.text
            await driven.press("enter", *"123456")
            assert "123456" in driven.text
            await driven.press("enter")
            assert await answered(driven, answer) == ("s3cr3t", "123456")


async def test_escape_refuses_a_secret() -> None:
    prompts = TuiPrompts()
    with ThreadPoolExecutor(1) as reader:
        async with opened(prompts=prompts) as driven:
            await driven.until_pods()
            answer: Future[object] = reader.submit(partial(prompts.secret, LOGIN))
            await driven.until(lambda: isinstance(driven.app.screen, SecretScreen))
            await driven.press(*"abc", "escape")
            assert await answered(driven, answer) is None


async def test_questions_left_open_are_refused_when_the_app_ends() -> None:
    prompts = TuiPrompts()
    with ThreadPoolExecutor(1) as reader:
        async with opened(prompts=prompts) as driven:
            await driven.until_pods()
            answer: Future[object] = reader.submit(partial(prompts.confirm_host_key, KEY))
            await driven.until(lambda: isinstance(driven.app.screen, HostKeyScreen))
        assert answer.result(timeout=10) is False


def test_without_an_app_everything_is_refused() -> None:
    prompts = TuiPrompts()
    assert prompts.confirm_host_key(KEY) is False
    assert prompts.secret(LOGIN) is None
