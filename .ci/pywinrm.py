"""Talks to every server of a simulated farm with Debian's pywinrm.

usage: pywinrm.py FARMSIM [FLAG...]

It starts the program, which prints where its servers are, and demands that
each says its own name, repeats a text and refuses a command that it does not
know. Nothing in pywinrm was written for this farm.
"""
import json
import subprocess
import sys

import winrm


def talk(server, farm, password):
    """Returns what the server answers to each command."""
    protocol = winrm.Protocol(
        server["url"], transport=server["auth"], username=server["user"], password=password,
        ca_trust_path=farm["ca"], server_cert_validation="validate",
        operation_timeout_sec=5, read_timeout_sec=20)
    answers = []
    for command, arguments in ("hostname", []), ("echo", ["a word"]), ("unheard-of", []):
        shell = protocol.open_shell(codepage=65001)
        try:
            running = protocol.run_command(shell, command, arguments)
            stdout, _, code = protocol.get_command_output(shell, running)
            protocol.cleanup_command(shell, running)
        finally:
            protocol.close_shell(shell)
        answers.append((stdout.decode("utf-8").strip(), code))
    return answers


def main():
    program = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
    try:
        farm = json.loads(program.stdout.readline())
        with open(farm["password"].removeprefix("file:"), encoding="utf-8") as file:
            password = file.read()
        for server in farm["servers"]:
            got = talk(server, farm, password)
            want = [(server["host"].split(".")[0].upper(), 0), ("a word", 0), ("", 1)]
            if got != want:
                sys.exit(f"{server['host']}: got {got}, want {want}")
            print(f"{server['host']}: {server['auth']} as {server['user']}: {got}")
    finally:
        program.terminate()
        program.wait()


main()
