# The dispatcher: last in the prelude, it takes the envelope apart, runs the
# script in it with its parameters and prints the one line that answers.
#
# The envelope is a row of frames, each a length of four bytes and its bytes:
# this prelude, the script, the header (JSON), and the secrets.

function Read-Frame {
    [CmdletBinding()]
    param([byte[]] $Data, [int] $Offset)

    $frames = New-Object System.Collections.Generic.List[byte[]]
    while ($Offset -lt $Data.Length) {
        $length = [BitConverter]::ToInt32($Data, $Offset)
        $frame = New-Object byte[] $length
        [Array]::Copy($Data, $Offset + 4, $frame, 0, $length)
        $frames.Add($frame)
        $Offset += 4 + $length
    }
    return , $frames
}

# Parameters that are null in JSON are left to the script's defaults: an empty
# list of the caller's language may well be written as null.
function ConvertTo-Splat {
    [CmdletBinding()]
    param([psobject] $Params)

    $splat = @{}
    foreach ($property in $Params.PSObject.Properties) {
        if ($null -ne $property.Value) { $splat[$property.Name] = $property.Value }
    }
    return $splat
}

# The line of the script that failed stands in the stack trace directly above
# the function that called the script; 0 when the script itself never ran or
# had ended. But for its name and number a frame's text is localized.
function Get-FailedLine {
    [CmdletBinding()]
    param([System.Management.Automation.ErrorRecord] $Record)

    $previous = ''
    foreach ($frame in ([string] $Record.ScriptStackTrace).Split("`n")) {
        if ($frame.Contains('Invoke-Envelope')) {
            if ($previous -match '<ScriptBlock>.*?(\d+)\s*$') { return [int] $Matches[1] }
            return 0
        }
        $previous = $frame
    }
    return 0
}

function ConvertTo-Failure {
    [CmdletBinding()]
    param([System.Management.Automation.ErrorRecord] $Record)

    # PowerShell wraps what a .NET method throws; the cause is inside.
    $exception = $Record.Exception
    while ($exception -is [System.Management.Automation.RuntimeException] -and $null -ne $exception.InnerException) {
        $exception = $exception.InnerException
    }
    $id = [string] $Record.FullyQualifiedErrorId
    if ($id.StartsWith('farmtrust.')) { $id = $id.Split(',')[0] }
    return [pscustomobject] @{
        id = $id
        message = [string] $exception.Message
        category = [string] $Record.CategoryInfo.Category
        exception = $exception.GetType().FullName
        hresult = [int] $exception.HResult
        line = Get-FailedLine -Record $Record
    }
}

function Invoke-Envelope {
    [CmdletBinding()]
    param([byte[]] $Data, [int] $Offset)

    $utf8 = New-Object System.Text.UTF8Encoding $false
    $frames = Read-Frame -Data $Data -Offset $Offset
    $header = ConvertFrom-Json -InputObject $utf8.GetString($frames[1])
    $FarmTrustSecrets = $frames.GetRange(2, $frames.Count - 2)
    try {
        Assert-Host
        $script = [ScriptBlock]::Create($utf8.GetString($frames[0]))
        $splat = ConvertTo-Splat -Params $header.params
        $results = @(& $script @splat)
        if ($results.Count -ne 1) {
            Stop-Script -Id 'NoResult' -Message "the script returned $($results.Count) results where one is due"
        }
        $json = ConvertTo-AsciiJson -Value @{ result = $results[0] }
    }
    catch {
        $json = ConvertTo-AsciiJson -Value @{ error = ConvertTo-Failure -Record $_ }
    }
    finally {
        foreach ($secret in $FarmTrustSecrets) { [Array]::Clear($secret, 0, $secret.Length) }
        [Array]::Clear($Data, 0, $Data.Length)
    }
    [Console]::Out.WriteLine('@@RESULT ' + $header.nonce + ' ' + [Convert]::ToBase64String($utf8.GetBytes($json)))
}

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
Invoke-Envelope -Data $args[0] -Offset $args[1]
