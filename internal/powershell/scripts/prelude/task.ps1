# The SharePoint task, as the worker's session uses it: requests and results are
# files in two folders beside the task's script.

# The task must be installed, with the version of its script that the caller
# knows.
function Assert-Task {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Hash)

    $task = Get-ScheduledTask -TaskName 'farmtrust-sharepoint' -TaskPath '\' -ErrorAction SilentlyContinue
    $installed = Get-TaskScriptHash
    if ($null -eq $task -or $installed -eq '') {
        Stop-Script -Id 'TaskMissing' -Message 'the scheduled task farmtrust-sharepoint or its script is not installed on this server'
    }
    if ([string] $task.State -eq 'Disabled') {
        Stop-Script -Id 'TaskMissing' -Message 'the scheduled task farmtrust-sharepoint is disabled'
    }
    if ($installed -cne $Hash) {
        Stop-Script -Id 'TaskVersion' -Message "the installed script is $($installed.Substring(0, 12)), this worker's is $($Hash.Substring(0, 12))"
    }
}

# Waits for the result. A run of the task that started after the request was
# written would have written the result before it ended.
function Wait-TaskResult {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [datetime] $Deadline,
        [Nullable[datetime]] $LastRun
    )

    do {
        $info = Get-ScheduledTaskInfo -TaskName 'farmtrust-sharepoint' -TaskPath '\'
        $code = [long] $info.LastTaskResult
        # 267009 while it runs, 267045 while it is queued.
        $ended = $null -ne $info.LastRunTime -and $info.LastRunTime -ne $LastRun -and $code -ne 267009 -and $code -ne 267045
        # Read only now: a run that had ended above has written its result.
        $bytes = Read-TaskResult -Id $Id
        if ($null -ne $bytes) { return , $bytes }
        if ($ended) {
            Stop-Script -Id 'TaskFailed' -Message "the scheduled task farmtrust-sharepoint ended with code $code and without a result"
        }
        Start-Sleep -Milliseconds 250
    } while ((Get-MachineTime) -lt $Deadline)
    Stop-Script -Id 'TaskTimeout' -Message "the scheduled task farmtrust-sharepoint wrote no result in time (last code $code)"
}
