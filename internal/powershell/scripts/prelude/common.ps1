# Functions that every script uses and that run on every PowerShell.

# Ends a script with one of farmtrust's own errors. Callers decide by its ID; the
# message is for the reader.
function Stop-Script {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Message
    )

    $exception = New-Object System.InvalidOperationException $Message
    throw (New-Object System.Management.Automation.ErrorRecord $exception, "farmtrust.$Id", 'InvalidOperation', $null)
}

# A 32-bit PowerShell has another view of the registry and of Program Files, and
# the cmdlets of neither product.
function Assert-Host {
    [CmdletBinding()]
    param()

    if (-not [Environment]::Is64BitProcess) {
        Stop-Script -Id 'Not64Bit' -Message 'PowerShell runs as a 32-bit process; the remote shell must start the 64-bit one'
    }
}

# Formats times as ISO 8601 text, since Windows PowerShell and PowerShell 7 write
# dates differently in JSON.
function ConvertTo-UtcText {
    [CmdletBinding()]
    param([Nullable[datetime]] $Time)

    if ($null -eq $Time) { return $null }
    $culture = [System.Globalization.CultureInfo]::InvariantCulture
    return $Time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", $culture)
}

function ConvertTo-JsonText {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text -cnotmatch '[^ !#-\[\]-~]') { return '"' + $Text + '"' }
    $json = New-Object System.Text.StringBuilder
    foreach ($char in $Text.ToCharArray()) {
        if ([string] $char -cmatch '[^ !#-\[\]-~]') { [void] $json.AppendFormat('\u{0:x4}', [int] $char) }
        else { [void] $json.Append($char) }
    }
    return '"' + $json.ToString() + '"'
}

# Writes the types that scripts return and fails on any other. ConvertTo-Json of
# Windows PowerShell does not unwrap what it should, and truncates silently at
# its depth limit.
function ConvertTo-AsciiJson {
    [CmdletBinding()]
    param([object] $Value)

    if ($null -eq $Value) { return 'null' }
    if ($Value -is [string]) { return ConvertTo-JsonText -Text $Value }
    if ($Value -is [bool]) { return ([string] $Value).ToLowerInvariant() }
    if ($Value -is [int] -or $Value -is [long]) { return ([long] $Value).ToString([System.Globalization.CultureInfo]::InvariantCulture) }
    if ($Value -is [datetime]) { return ConvertTo-JsonText -Text (ConvertTo-UtcText -Time $Value) }
    if ($Value -is [byte[]]) { return ConvertTo-JsonText -Text ([Convert]::ToBase64String($Value)) }
    $parts = New-Object System.Collections.Generic.List[string]
    if ($Value -is [System.Collections.IDictionary]) {
        foreach ($key in $Value.Keys) { $parts.Add((ConvertTo-JsonText -Text $key) + ':' + (ConvertTo-AsciiJson -Value $Value[$key])) }
        return '{' + ($parts -join ',') + '}'
    }
    if ($Value -is [System.Collections.IList]) {
        foreach ($item in $Value) { $parts.Add((ConvertTo-AsciiJson -Value $item)) }
        return '[' + ($parts -join ',') + ']'
    }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        foreach ($property in $Value.PSObject.Properties) {
            $parts.Add((ConvertTo-JsonText -Text $property.Name) + ':' + (ConvertTo-AsciiJson -Value $property.Value))
        }
        return '{' + ($parts -join ',') + '}'
    }
    Stop-Script -Id 'NoResult' -Message "a result holds a $($Value.GetType().FullName), which has no JSON form here"
}
