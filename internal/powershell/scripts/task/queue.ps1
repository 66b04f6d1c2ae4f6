# Requests and answers: files in two folders beside this script. Their access
# lists say who may write which; this trusts nothing that it reads.

# Requests in the order they were written. Names that are not the name of a
# request are not ours to answer.
function Get-RequestFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    $files = @(foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'requests'))) {
        if ([System.IO.Path]::GetFileName($path) -cmatch '\A[0-9a-f]{32}\.json\z') { New-Object System.IO.FileInfo $path }
    })
    return $files | Sort-Object -Property LastWriteTimeUtc
}

# Opens the answer to a request, exclusively and only if nothing has that name:
# that claims the request for this run. Null when it was claimed before.
function Open-Answer {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Id
    )

    $path = [System.IO.Path]::Combine($Folder, 'results', "$Id.json")
    if ([System.IO.File]::Exists($path)) { return $null }
    try { return New-Object System.IO.FileStream $path, 'CreateNew', 'Write', 'None' }
    catch {
        # Lost to another run between the two lines above.
        if ([System.IO.File]::Exists($path)) { return $null }
        throw
    }
}

# Answers stay for an hour, far longer than any request is valid: until then
# the same request is known to be done, and after that it has expired.
function Remove-OldAnswer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'results'), '*.json')) {
        if ([System.IO.File]::GetLastWriteTimeUtc($path) -lt (Get-MachineTime).AddHours(-1)) { [System.IO.File]::Delete($path) }
    }
}

# The text of a request, empty if it is a link or too large; null while it is
# being written, when it was taken back, and where this account may not read it:
# one such file must not keep the others waiting.
function Read-RequestText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.IO.FileInfo] $File)

    try {
        if (([int] $File.Attributes -band [int] [System.IO.FileAttributes]::ReparsePoint) -ne 0 -or $File.Length -gt 1048576) { return '' }
        return [System.IO.File]::ReadAllText($File.FullName)
    }
    catch [System.IO.IOException], [System.UnauthorizedAccessException] { return $null }
}

# A request as an object. One that is not exactly what it should be is refused.
function ConvertTo-Request {
    [CmdletBinding()]
    param(
        [string] $Text,
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Hash
    )

    try { $request = ConvertFrom-Json -InputObject $Text }
    catch { Stop-Script -Id 'TaskRefused' -Message 'the request is no JSON, a link, or larger than 1 MiB' }
    if ($request -isnot [System.Management.Automation.PSCustomObject]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request is not an object'
    }
    $fields = @(foreach ($property in $request.PSObject.Properties) { $property.Name })
    if (-not ($fields -join ' ').Equals('id verb script expires params')) {
        Stop-Script -Id 'TaskRefused' -Message 'the request does not have the fields id, verb, script, expires and params alone'
    }
    if ($request.id -isnot [string] -or -not $request.id.Equals($Id)) {
        Stop-Script -Id 'TaskRefused' -Message 'the request is not the one that its file is named after'
    }
    if ($request.script -isnot [string] -or -not $request.script.Equals($Hash)) {
        Stop-Script -Id 'TaskVersion' -Message 'the request is for another version of this script'
    }
    if ($request.expires -isnot [int] -and $request.expires -isnot [long]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request does not say when it expires'
    }
    $left = [long] $request.expires - ([DateTimeOffset] (Get-MachineTime)).ToUnixTimeSeconds()
    if ($left -lt 0 -or $left -gt 900) {
        Stop-Script -Id 'TaskRefused' -Message "the request expires in $left seconds, which is not within 15 minutes from now"
    }
    if ($request.verb -isnot [string] -or $request.verb -cnotmatch "\A($($FarmTrustVerbs.Keys -join '|'))\z") {
        Stop-Script -Id 'TaskRefused' -Message 'the request names none of the verbs of this script'
    }
    Assert-Shape -Name $request.verb -Value $request.params
    return $request
}

# Does what a request asks for and writes the answer.
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
    $stream = Open-Answer -Folder $Folder -Id $id
    if ($null -eq $stream) { return }
    try {
        try {
            $request = ConvertTo-Request -Text $text -Id $id -Hash $Hash
            $verb = $FarmTrustVerbs[$request.verb]
            $outcome = Invoke-Script -Script $verb -Params $request.params
        }
        catch { $outcome = '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
        $bytes = [System.Text.Encoding]::ASCII.GetBytes('{"id":"' + $id + '","script":"' + $Hash + '",' + $outcome + '}')
        $stream.Write($bytes, 0, $bytes.Length)
    }
    finally { $stream.Dispose() }
}
