# Files of the machine, by their paths.

# A file's bytes; null when there is no such file.
function Read-FileBytes {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    if (-not [System.IO.File]::Exists($Path)) { return $null }
    # The comma keeps PowerShell from returning byte after byte.
    return , [System.IO.File]::ReadAllBytes($Path)
}

function Write-FileBytes {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [byte[]] $Bytes
    )

    [System.IO.File]::WriteAllBytes($Path, $Bytes)
}

# When a file was last written, UTC; null when there is no such file.
function Get-FileTime {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    if (-not [System.IO.File]::Exists($Path)) { return $null }
    return [System.IO.File]::GetLastWriteTimeUtc($Path)
}
