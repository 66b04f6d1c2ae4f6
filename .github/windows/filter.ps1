<#
.SYNOPSIS
Sets whether remote sessions of local administrators have their rights.
.DESCRIPTION
Without them, the account also becomes a member of Remote Management Users, so that
it may still use WinRM.
Source: Microsoft, "User Account Control and remote restrictions".
.PARAMETER Rights
False is Windows' own default.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [bool] $Rights)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$key = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
$null = New-ItemProperty -Path $key -Name LocalAccountTokenFilterPolicy -Value ([int] $Rights) -PropertyType DWord -Force
if (-not $Rights) { Add-LocalGroupMember -SID S-1-5-32-580 -Member farmtrust -ErrorAction SilentlyContinue }
