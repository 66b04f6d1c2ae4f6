<#
.SYNOPSIS
Writes the configuration with which farmtrust reaches this machine.
.DESCRIPTION
It is an office server under its own name and a front end under the name localhost.
Source: none.
.PARAMETER Folder
The folder that ca.ps1 and winrm.ps1 wrote to.
.PARAMETER Name
This machine's name.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Folder,
    [string] $Name = $env:COMPUTERNAME
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$lines = @(
    'farms:'
    '  - name: test'
    '    office:'
    "      servers: [{host: $Name, address: 'localhost:5986'}]"
    '      connection: here'
    '    sharePoint:'
    "      - frontEnd: {host: localhost, address: '127.0.0.1:5986'}"
    '        connection: here'
    '        sites: [https://portal.contoso.com]'
    '        issuerName: OOS'
    '    certificate:'
    "      source: {directory: {path: '$Folder', password: 'file:$Folder/password'}}"
    '      leadTime: 30d'
    'connections:'
    "  here: {auth: ntlm, user: farmtrust, password: 'file:$Folder/password', ca: '$Folder/ca.pem'}"
)
[System.IO.File]::WriteAllLines([System.IO.Path]::Combine($Folder, 'farmtrust.yaml'), [string[]] $lines)
