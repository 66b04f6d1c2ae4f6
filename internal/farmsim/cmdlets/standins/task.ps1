# The SharePoint task: its script runs in a PowerShell of its own, as the account
# of the task, from a folder that the engine made for this one call.

# The version that is installed on the simulated server; empty when none is.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    Invoke-Door -Name Get-ScriptHash
}

function Start-SharePointTask {
    $script = [System.IO.Path]::Combine($env:ProgramFiles, 'farmtrust', 'farmtrust-sharepoint.ps1')
    $mine = $env:FARMTRUST_TOKEN
    $env:FARMTRUST_TOKEN = Invoke-Door -Name Enter-Task
    try { & ([Environment]::ProcessPath) -NoLogo -NoProfile -NonInteractive -File $script | Out-Null }
    finally { $env:FARMTRUST_TOKEN = $mine }
}
