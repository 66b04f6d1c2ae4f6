<#
.SYNOPSIS
Has the SharePoint task run one of its verbs, and returns its answer.
.DESCRIPTION
For front ends whose sessions cannot reach SQL Server: a scheduled task that an
administrator registered runs a fixed script as an account that can. This
writes the request, starts the task, waits, and checks that the answer belongs
to this request and comes from the script that is known here. The request is
removed whatever happens; the task removes its answers itself.
Source: Microsoft, "Making the second hop in PowerShell Remoting"; "Task
Scheduler Error and Success Constants".
.PARAMETER Verb
What the task is to do.
.PARAMETER Parameters
The verb's parameters.
.PARAMETER Hash
The SHA-256 of the task's script.
.PARAMETER Seconds
How long to wait, and how long the request is valid.
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
    # Asked after the request is there: a later run cannot have missed it.
    $last = (Get-ScheduledTaskInfo -TaskName 'farmtrust-sharepoint' -TaskPath '\').LastRunTime
    Start-ScheduledTask -TaskName 'farmtrust-sharepoint' -TaskPath '\'
    $bytes = Wait-TaskAnswer -Id $id -Deadline $deadline -LastRun $last
}
finally { Remove-TaskRequest -Id $id }

$answer = ConvertFrom-Json -InputObject ([System.Text.Encoding]::ASCII.GetString($bytes))
if ($answer.id -cne $id) {
    Stop-Script -Id 'TaskFailed' -Message 'the answer belongs to another request'
}
if ($answer.script -cne $Hash) {
    Stop-Script -Id 'TaskVersion' -Message "the answer comes from the script $($answer.script), not from $Hash"
}

[pscustomobject] @{ answer = $bytes }
