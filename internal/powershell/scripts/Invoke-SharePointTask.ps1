<#
.SYNOPSIS
Makes the SharePoint task run one of its verbs, and returns its outcome.
.DESCRIPTION
For front ends whose sessions cannot reach SQL Server: a scheduled task that an
administrator registered runs a fixed script as an account that can. This script
writes the request, starts the task, waits, and checks that the result belongs to
this request and comes from the expected version of the task's script. The
request is removed in any case; the task itself removes its results.
Source: Microsoft, "Making the second hop in PowerShell Remoting"; "Task
Scheduler Error and Success Constants".
.PARAMETER Verb
The name of a script that the task contains.
.PARAMETER Parameters
The verb's parameters.
.PARAMETER Hash
The expected SHA-256 of the task's script.
.PARAMETER Seconds
How long to wait for the result, and how long the request is valid.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[A-Z][A-Za-z]+-[A-Za-z]+$')] [string] $Verb,
    [Parameter(Mandatory = $true)] [psobject] $Parameters,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f]{64}$')] [string] $Hash,
    [Parameter(Mandatory = $true)] [ValidateRange(1, 900)] [int] $Seconds
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Assert-Task -Hash $Hash
Remove-OldRequest
$id = [Guid]::NewGuid().ToString('N')
$deadline = (Get-MachineTime).AddSeconds($Seconds)
New-TaskRequest -Id $id -Text (ConvertTo-AsciiJson -Value ([pscustomobject] @{
    id = $id
    verb = $Verb
    script = $Hash
    expires = ([DateTimeOffset] $deadline).ToUnixTimeSeconds()
    params = $Parameters
}))
try {
    # Read after the request is written: any later run will find it.
    $last = (Get-ScheduledTaskInfo -TaskName 'farmtrust-sharepoint' -TaskPath '\').LastRunTime
    Start-ScheduledTask -TaskName 'farmtrust-sharepoint' -TaskPath '\'
    $bytes = Wait-TaskResult -Id $id -Deadline $deadline -LastRun $last
}
finally { Remove-TaskRequest -Id $id }

$written = ConvertFrom-Json -InputObject ([System.Text.Encoding]::ASCII.GetString($bytes))
if ($written.id -cne $id) {
    Stop-Script -Id 'TaskFailed' -Message 'the result belongs to another request'
}
if ($written.script -cne $Hash) {
    Stop-Script -Id 'TaskVersion' -Message "the result comes from the script $($written.script), not from $Hash"
}

[pscustomobject] @{ outcome = $bytes }
