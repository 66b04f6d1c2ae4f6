# The dispatcher, the last part of the prelude. It opens the envelope, runs the
# script in it with its parameters and prints the result line.
#
# The envelope is a sequence of frames, each a length of four bytes and as many
# bytes: this prelude, the script, the header (JSON), and the secrets.

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
        $json = '{' + (Invoke-Script -Name $header.name -Script $script -Params $header.params) + '}'
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
