# The SharePoint task, seen from the administrator's side: a request is a file
# beside the task's script, and so is its answer.

# Ordinary users can make nothing in Program Files, so nobody can have laid
# these folders out before they were installed.
function Get-TaskFolder {
    [CmdletBinding()]
    param()

    return [System.IO.Path]::Combine($env:ProgramFiles, 'farmtrust')
}

# The installed script, which must be the one that the caller knows.
function Assert-Task {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Hash)

    $script = [System.IO.Path]::Combine((Get-TaskFolder), 'farmtrust-sharepoint.ps1')
    if (-not [System.IO.File]::Exists($script)) {
        Stop-Script -Id 'TaskMissing' -Message "the SharePoint task is not installed: there is no $script"
    }
    $task = Get-ScheduledTask -TaskName 'farmtrust-sharepoint' -TaskPath '\' -ErrorAction SilentlyContinue
    if ($null -eq $task) {
        Stop-Script -Id 'TaskMissing' -Message 'the SharePoint task is not installed: no scheduled task is called farmtrust-sharepoint'
    }
    if ([string] $task.State -eq 'Disabled') {
        Stop-Script -Id 'TaskMissing' -Message 'the scheduled task farmtrust-sharepoint is disabled'
    }
    $installed = Get-ScriptHash -Path $script
    if ($installed -cne $Hash) {
        Stop-Script -Id 'TaskVersion' -Message "the installed script is $($installed.Substring(0, 12)), this worker's is $($Hash.Substring(0, 12))"
    }
}

# Writes a request under a name that nothing has yet, and returns its path.
function New-TaskRequest {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [object] $Request
    )

    $path = [System.IO.Path]::Combine((Get-TaskFolder), 'requests', "$Id.json")
    $bytes = [System.Text.Encoding]::ASCII.GetBytes((ConvertTo-AsciiJson -Value $Request))
    # CreateNew fails where there is something already, a link included; None
    # keeps the task from reading half a request.
    $stream = New-Object System.IO.FileStream $path, 'CreateNew', 'Write', 'None'
    try { $stream.Write($bytes, 0, $bytes.Length) }
    finally { $stream.Dispose() }
    return $path
}

# Requests whose caller died stay behind; no request is valid for so long.
function Remove-OldRequest {
    [CmdletBinding()]
    param()

    $folder = [System.IO.Path]::Combine((Get-TaskFolder), 'requests')
    foreach ($file in [System.IO.Directory]::GetFiles($folder, '*.json')) {
        if ([System.IO.File]::GetLastWriteTimeUtc($file) -lt [datetime]::UtcNow.AddHours(-1)) { [System.IO.File]::Delete($file) }
    }
}

# The bytes of an answer; null while there is none, or it is being written.
function Read-TaskAnswer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Id)

    $path = [System.IO.Path]::Combine((Get-TaskFolder), 'results', "$Id.json")
    if (-not [System.IO.File]::Exists($path)) { return $null }
    try { $bytes = [System.IO.File]::ReadAllBytes($path) }
    catch [System.IO.IOException] { return $null }
    if ($bytes.Length -eq 0) { return $null }
    return , $bytes
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
    } while ([datetime]::UtcNow -lt $Deadline)
    Stop-Script -Id 'TaskTimeout' -Message "the scheduled task farmtrust-sharepoint did not answer in time (last result $code)"
}
