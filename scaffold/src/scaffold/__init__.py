"""The generator behind the command `scaffold`: it writes features, with their tests and migration.

It runs in a service, whose `devtools/scaffold_installer.py` imports it when the command runs.
"""
