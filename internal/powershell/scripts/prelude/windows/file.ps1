# Files of the machine.

# Returns when a file was last written, in UTC, or null when there is no such
# file.
function Get-FileTime {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    if (-not [System.IO.File]::Exists($Path)) { return $null }
    return [System.IO.File]::GetLastWriteTimeUtc($Path)
}

# Returns a file's text in the encoding that its first bytes tell, else UTF-8, or null
# when there is no such file.
function Read-FileText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    if (-not [System.IO.File]::Exists($Path)) { return $null }
    return [System.IO.File]::ReadAllText($Path)
}
