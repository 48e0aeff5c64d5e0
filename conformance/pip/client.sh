#!/usr/bin/env bash
# Debian's pip and twine
# from: debian
[ -x /usr/bin/twine ] && /usr/bin/python3 -m pip --version >/dev/null 2>&1 || { echo 'python3-pip or twine is not installed here'; exit 77; }
/usr/bin/python3 -c 'import setuptools, wheel' 2>/dev/null || { echo 'python3-setuptools or python3-wheel is not installed here'; exit 77; }
echo "pip $(/usr/bin/python3 -m pip --version | cut -d' ' -f2), twine $(/usr/bin/twine --version | head -1 | cut -d' ' -f3)"
