import subprocess
import sys


def test_no_start_is_held_up_by_the_collector_of_cycles() -> None:
    """All that is imported stays: to look through it again and again would take a tenth of the start."""
    code = (
        "import gc, sys\nfrom relay.__main__ import main\nsys.argv = ['relay', '--version']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "seen = []\ngc.callbacks.append(lambda *what: seen.append(what))\n"
        "import relay.settings.validate, relay.supervisor\nfrom relay.admin.desk import load_all\nload_all()\n"
        "print(seen)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[1:] == ["[]"]
