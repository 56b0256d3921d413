"""The parts of the ftrack double; `double.py` beside this folder puts them together."""
