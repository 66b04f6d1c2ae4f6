# Runs a script and writes its result, or its error, as JSON.

# Leaves out parameters that are null in JSON, so that the script's defaults
# apply: the caller's language may write an empty list as null.
function ConvertTo-Splat {
    [CmdletBinding()]
    param([psobject] $Params)

    $splat = @{}
    foreach ($property in $Params.PSObject.Properties) {
        if ($null -ne $property.Value) { $splat[$property.Name] = $property.Value }
    }
    return $splat
}

# Returns the line at which the script failed, or 0 when the script had not
# started or had already ended. In the stack trace it is in the frame directly
# above that of the function that called the script. Except for its name and its
# number, the text of a frame is localized.
function Get-FailedLine {
    [CmdletBinding()]
    param([System.Management.Automation.ErrorRecord] $Record)

    $previous = ''
    foreach ($frame in ([string] $Record.ScriptStackTrace).Split("`n")) {
        if ($frame.Contains('Invoke-Script')) {
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

    # PowerShell wraps the exception of a .NET method; the cause is inside.
    $exception = $Record.Exception
    while ($exception -is [System.Management.Automation.RuntimeException] -and $null -ne $exception.InnerException) {
        $exception = $exception.InnerException
    }
    $message = [string] $exception.Message
    if ($message.Length -gt 2000) { $message = $message.Substring(0, 1997) + '...' }
    $id = [string] $Record.FullyQualifiedErrorId
    if ($id.StartsWith('farmtrust.')) { $id = $id.Split(',')[0] }
    return [pscustomobject] @{
        id = $id
        message = $message
        category = [string] $Record.CategoryInfo.Category
        exception = $exception.GetType().FullName
        hresult = [int] $exception.HResult
        line = Get-FailedLine -Record $Record
    }
}

# Returns what cmdlets warned of as a field of JSON, or an empty text. A product
# that warns of the same thing for each object must not fill the report.
function ConvertTo-WarningField {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [System.Collections.Generic.List[string]] $Warnings)

    $kept = New-Object System.Collections.Generic.List[string]
    foreach ($warning in $Warnings) {
        $text = $warning.Trim()
        if ($text.Length -gt 500) { $text = $text.Substring(0, 497) + '...' }
        if ($text -ne '' -and $kept.Count -lt 5 -and -not $kept.Contains($text)) { $kept.Add($text) }
    }
    if ($kept.Count -eq 0) { return '' }
    return ',"warnings":' + (ConvertTo-AsciiJson -Value $kept)
}

# Runs a script with parameters and returns its one result, or its error, as a
# field of JSON, and as another one what cmdlets warned of: Windows PowerShell
# would print that among the output. Errors are caught here and not further out,
# because each function that an error passes through adds its name to the error's
# ID. A script that changes something holds the server's mutex from before its first
# look to its end.
function Invoke-Script {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [scriptblock] $Script,
        [psobject] $Params
    )

    $warnings = New-Object System.Collections.Generic.List[string]
    $mutex = $null
    try {
        if (Test-ChangingScript -Name $Name) { $mutex = Lock-Server }
        $splat = ConvertTo-Splat -Params $Params
        # One by one, so that the warnings before an error are not lost.
        $results = @(& $Script @splat 3>&1 | ForEach-Object -Process {
            # The comma keeps a result that is a list together.
            if ($_ -is [System.Management.Automation.WarningRecord]) { $warnings.Add($_.Message) } else { , $_ }
        })
        if ($results.Count -ne 1) {
            Stop-Script -Id 'NoResult' -Message "the script returned $($results.Count) results instead of one"
        }
        $outcome = '"result":' + (ConvertTo-AsciiJson -Value $results[0])
    }
    catch { $outcome = '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
    finally { if ($null -ne $mutex) { Unlock-Server -Mutex $mutex } }
    return $outcome + (ConvertTo-WarningField -Warnings $warnings)
}
