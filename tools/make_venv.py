"""Makes the virtual environment. Debian keeps what that needs in a package of its own, which root gets installed here.

Runs on any Python 3, so that one too old to go on with is told so.
"""

import importlib.util
import os
import shutil
import subprocess
import sys

SUPPORTED = ((3, 11), (3, 13))


def main() -> None:
    target = sys.argv[1]
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        sys.exit(
            "Python 3.11, 3.12 or 3.13 is needed, and this is %d.%d. Name another: make PYTHON=/path/to/python3"
            % sys.version_info[:2]
        )
    if importlib.util.find_spec("ensurepip") is None:
        package = "python%d.%d-venv" % sys.version_info[:2]
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            sys.exit(
                f"Python cannot make virtual environments here. Have the package {package} installed first."
            )
        print(f"Installing {package}")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], check=True)
    subprocess.run([sys.executable, "-m", "venv", target], check=True)


if __name__ == "__main__":
    main()
