# The files that go to and come from the SharePoint task.

# Ordinary users can make nothing in Program Files, so nobody can have laid
# this folder out before it was installed.
function Get-TaskPath {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string[]] $Name)

    return [System.IO.Path]::Combine([string[]] (@($env:ProgramFiles, 'farmtrust') + $Name))
}

# What the installed script is known by; empty when there is none.
function Get-TaskScriptHash {
    [CmdletBinding()]
    param()

    $script = Get-TaskPath -Name 'farmtrust-sharepoint.ps1'
    if (-not [System.IO.File]::Exists($script)) { return '' }
    return Get-ScriptHash -Path $script
}

# Writes a request under a name that nothing has yet. CreateNew fails where
# there is something already, a link included; None keeps the task from reading
# half a request.
function New-TaskRequest {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Text
    )

    $bytes = [System.Text.Encoding]::ASCII.GetBytes($Text)
    $stream = New-Object System.IO.FileStream (Get-TaskPath -Name 'requests', "$Id.json"), 'CreateNew', 'Write', 'None'
    try { $stream.Write($bytes, 0, $bytes.Length) }
    finally { $stream.Dispose() }
}

function Remove-TaskRequest {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Id)

    [System.IO.File]::Delete((Get-TaskPath -Name 'requests', "$Id.json"))
}

# Requests whose caller died stay behind; no request is valid for so long.
function Remove-OldRequest {
    [CmdletBinding()]
    param()

    foreach ($file in [System.IO.Directory]::GetFiles((Get-TaskPath -Name 'requests'), '*.json')) {
        if ([System.IO.File]::GetLastWriteTimeUtc($file) -lt (Get-MachineTime).AddHours(-1)) { [System.IO.File]::Delete($file) }
    }
}

# The bytes of an answer; null while there is none, or it is being written.
function Read-TaskAnswer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Id)

    $path = Get-TaskPath -Name 'results', "$Id.json"
    if (-not [System.IO.File]::Exists($path)) { return $null }
    try { $bytes = [System.IO.File]::ReadAllBytes($path) }
    catch [System.IO.IOException] { return $null }
    if ($bytes.Length -eq 0) { return $null }
    return , $bytes
}
