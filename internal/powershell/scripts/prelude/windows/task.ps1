# The files that the worker exchanges with the SharePoint task.

# Ordinary users cannot create anything in Program Files, so none can have created
# this folder before the task was installed.
function Get-TaskPath {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string[]] $Name)

    return [System.IO.Path]::Combine([string[]] (@($env:ProgramFiles, 'farmtrust') + $Name))
}

# Returns the hash of the installed script, or an empty text when there is none.
function Get-TaskScriptHash {
    [CmdletBinding()]
    param()

    $script = Get-TaskPath -Name 'farmtrust-sharepoint.ps1'
    if (-not [System.IO.File]::Exists($script)) { return '' }
    return Get-ScriptHash -Path $script
}

# Writes a request to a new file. CreateNew fails when the name exists, even as a
# link. None keeps the task from reading half a request.
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

# Removes the requests of callers that died. No request is valid for an hour.
function Remove-OldRequest {
    [CmdletBinding()]
    param()

    foreach ($file in [System.IO.Directory]::GetFiles((Get-TaskPath -Name 'requests'), '*.json')) {
        if ([System.IO.File]::GetLastWriteTimeUtc($file) -lt (Get-MachineTime).AddHours(-1)) { [System.IO.File]::Delete($file) }
    }
}

# Returns the bytes of a result, or null until it is completely written.
function Read-TaskResult {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Id)

    $path = Get-TaskPath -Name 'results', "$Id.json"
    if (-not [System.IO.File]::Exists($path)) { return $null }
    try { $bytes = [System.IO.File]::ReadAllBytes($path) }
    catch [System.IO.IOException] { return $null }
    if ($bytes.Length -eq 0) { return $null }
    return , $bytes
}
