"""The presets that were tried, as a person with an endpoint of their own would set them up."""

from clis import KEY, Cli, Setup

from samoloop.config import presets


def copilot(url: str) -> Setup:
    more = {"COPILOT_PROVIDER_API_KEY": KEY, "COPILOT_OFFLINE": "true", "COPILOT_MODEL": "m1"}
    return Setup({"COPILOT_PROVIDER_BASE_URL": f"{url}/v1", **more})


def qwen(url: str) -> Setup:
    return Setup({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{url}/v1"}, settings={"args": ["--auth-type", "openai"]})


def kimi(url: str) -> Setup:
    more = {"KIMI_MODEL_NAME": "m1", "KIMI_MODEL_PROVIDER_TYPE": "openai", "KIMI_MODEL_API_KEY": KEY}
    return Setup({"KIMI_MODEL_BASE_URL": f"{url}/v1", **more})


def aider(url: str) -> Setup:
    return Setup({"OPENAI_API_KEY": KEY, "OPENAI_API_BASE": f"{url}/v1"})


PRESETS = {
    cli.name: cli
    for cli in (
        Cli("copilot", "m1", "chat", "@github/copilot", copilot),
        Cli("qwen", "m1", "chat", "@qwen-code/qwen-code", qwen),
        Cli("kimi", "", "chat", "@moonshot-ai/kimi-code", kimi),  # its model is in the environment
        Cli("aider", "openai/m1", "chat", "aider-chat", aider),
    )
}
assert set(PRESETS) == {name for name in presets.names() if presets.load(name).tried}
