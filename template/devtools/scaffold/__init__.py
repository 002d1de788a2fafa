"""The generator behind the command `scaffold`: it writes features, with their tests and migration.

Production never imports it: `app.kit.cli.commands.scaffold` imports it when the command runs.
"""
