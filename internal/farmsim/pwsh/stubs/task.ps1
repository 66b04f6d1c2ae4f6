# The SharePoint task: its script runs in a PowerShell of its own, as the account
# of the task.
function Start-SharePointTask {
    param([string] $TaskName)

    $script = [System.IO.Path]::Combine($env:ProgramFiles, 'farmtrust', 'farmtrust-sharepoint.ps1')
    $mine = $env:FARMTRUST_TOKEN
    $task = Invoke-Model -Name Start-TaskScript -With @{ TaskName = $TaskName; Path = $script }
    $env:FARMTRUST_TOKEN = $task.Token
    try { & ([Environment]::ProcessPath) -NoLogo -NoProfile -NonInteractive -File $task.Path | Out-Null }
    finally { $env:FARMTRUST_TOKEN = $mine }
}
