"""Runs commands with pywinrm and prints their results as JSON.

usage: client.py URL CA TRANSPORT ENCRYPTION USER COMMAND... <PASSWORD
"""
import json
import sys

import winrm

url, ca, transport, encryption, user, *commands = sys.argv[1:]
password = sys.stdin.buffer.read().decode("utf-8")
protocol = winrm.Protocol(
    url, transport=transport, username=user, password=password, ca_trust_path=ca,
    server_cert_validation="validate", message_encryption=encryption,
    operation_timeout_sec=5, read_timeout_sec=20)


def run(line):
    command, *arguments = line.split(" ")
    shell = protocol.open_shell(codepage=65001)
    try:
        running = protocol.run_command(shell, command, arguments)
        try:
            stdout, stderr, exit_code = protocol.get_command_output(shell, running)
        finally:
            protocol.cleanup_command(shell, running)
    finally:
        protocol.close_shell(shell)
    return {"Exit": exit_code, "Stdout": stdout.decode("utf-8"), "Stderr": stderr.decode("utf-8")}


answers = []
for line in commands:
    try:
        answers.append(run(line))
    except Exception as e:
        answers.append({"Error": type(e).__name__ + ": " + str(e)})
json.dump(answers, sys.stdout)
