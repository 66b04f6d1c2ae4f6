# Requests and results are files in two folders beside this script. Access lists
# restrict who may write them, and the script still trusts nothing that it reads.

# Returns the requests in the order in which they were written. Files that are not
# named like a request are ignored.
function Get-RequestFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    $files = @(foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'requests'))) {
        if ([System.IO.Path]::GetFileName($path) -cmatch '\A[0-9a-f]{32}\.json\z') { New-Object System.IO.FileInfo $path }
    })
    return $files | Sort-Object -Property LastWriteTimeUtc
}

# Claims a request for this run by creating the file of its result, which it returns
# opened exclusively. Returns null when the request was claimed before.
function Open-ResultFile {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Id
    )

    $path = [System.IO.Path]::Combine($Folder, 'results', "$Id.json")
    if ([System.IO.File]::Exists($path)) { return $null }
    try { return New-Object System.IO.FileStream $path, 'CreateNew', 'Write', 'None' }
    catch {
        # Another run claimed it between the two lines above.
        if ([System.IO.File]::Exists($path)) { return $null }
        throw
    }
}

# Removes results that are older than an hour, far longer than any request is
# valid. Until then the result keeps the same request from running again, and
# afterwards the request has expired.
function Remove-OldResult {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'results'), '*.json')) {
        if ([System.IO.File]::GetLastWriteTimeUtc($path) -lt (Get-MachineTime).AddHours(-1)) { [System.IO.File]::Delete($path) }
    }
}

# Returns the text of a request, or an empty text when it is a link or too large.
# Returns null while the request is being written, when it was withdrawn, and when
# this account may not read it, since one such file must not block the others.
function Read-RequestText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.IO.FileInfo] $File)

    try {
        if (([int] $File.Attributes -band [int] [System.IO.FileAttributes]::ReparsePoint) -ne 0 -or $File.Length -gt 1048576) { return '' }
        return [System.IO.File]::ReadAllText($File.FullName)
    }
    catch [System.IO.IOException], [System.UnauthorizedAccessException] { return $null }
}

# Returns a request as an object, or ends with an error when anything about it is
# not exactly as expected.
function ConvertTo-Request {
    [CmdletBinding()]
    param(
        [string] $Text,
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Hash
    )

    try { $request = ConvertFrom-Json -InputObject $Text }
    catch { Stop-Script -Id 'TaskRefused' -Message 'the request is not JSON, a link, or larger than 1 MiB' }
    if ($request -isnot [System.Management.Automation.PSCustomObject]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request is not an object'
    }
    $fields = @(foreach ($property in $request.PSObject.Properties) { $property.Name })
    if (-not ($fields -join ' ').Equals('id verb script expires params')) {
        Stop-Script -Id 'TaskRefused' -Message 'the request does not have exactly the fields id, verb, script, expires and params'
    }
    if ($request.id -isnot [string] -or -not $request.id.Equals($Id)) {
        Stop-Script -Id 'TaskRefused' -Message 'the ID of the request is not the name of its file'
    }
    if ($request.script -isnot [string] -or -not $request.script.Equals($Hash)) {
        Stop-Script -Id 'TaskVersion' -Message 'the request is for another version of this script'
    }
    if ($request.expires -isnot [int] -and $request.expires -isnot [long]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request has no time at which it expires'
    }
    $left = [long] $request.expires - ([DateTimeOffset] (Get-MachineTime)).ToUnixTimeSeconds()
    if ($left -lt 0 -or $left -gt 900) {
        Stop-Script -Id 'TaskRefused' -Message "the request expires in $left seconds, not within the next 15 minutes"
    }
    if ($request.verb -isnot [string] -or $request.verb -cnotmatch "\A($($FarmTrustVerbs.Keys -join '|'))\z") {
        Stop-Script -Id 'TaskRefused' -Message 'the verb of the request is not one of this script'
    }
    Assert-Shape -Name $request.verb -Value $request.params
    return $request
}

# Runs a request and writes its result.
function Complete-Request {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.IO.FileInfo] $File,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Hash
    )

    $id = [System.IO.Path]::GetFileNameWithoutExtension($File.Name)
    $text = Read-RequestText -File $File
    if ($null -eq $text) { return }
    $stream = Open-ResultFile -Folder $Folder -Id $id
    if ($null -eq $stream) { return }
    try {
        try {
            $request = ConvertTo-Request -Text $text -Id $id -Hash $Hash
            $verb = $FarmTrustVerbs[$request.verb]
            $outcome = Invoke-Script -Name $request.verb -Script $verb -Params $request.params
        }
        catch { $outcome = '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
        $bytes = [System.Text.Encoding]::ASCII.GetBytes('{"id":"' + $id + '","script":"' + $Hash + '",' + $outcome + '}')
        $stream.Write($bytes, 0, $bytes.Length)
    }
    finally { $stream.Dispose() }
}
