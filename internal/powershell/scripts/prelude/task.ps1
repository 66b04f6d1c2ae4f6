# The SharePoint task, seen from the administrator's side: a request is a file
# beside the task's script, and so is its answer.

# The task must be there, with the script that the caller knows.
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

# Waits for the answer. A run of the task that began after the request was
# written and has ended would have answered it.
function Wait-TaskAnswer {
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
        # Read after the look at the task: what ended has written by now.
        $answer = Read-TaskAnswer -Id $Id
        if ($null -ne $answer) { return , $answer }
        if ($ended) {
            Stop-Script -Id 'TaskFailed' -Message "the scheduled task farmtrust-sharepoint ended with result $code and without an answer"
        }
        Start-Sleep -Milliseconds 250
    } while ((Get-MachineTime) -lt $Deadline)
    Stop-Script -Id 'TaskTimeout' -Message "the scheduled task farmtrust-sharepoint did not answer in time (last result $code)"
}
