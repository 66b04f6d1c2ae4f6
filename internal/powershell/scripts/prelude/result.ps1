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

# Runs a script with parameters and returns its one result, or its error, as a
# field of JSON. Errors are caught here and not further out, because each
# function that an error passes through adds its name to the error's ID.
function Invoke-Script {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [scriptblock] $Script,
        [psobject] $Params
    )

    try {
        $splat = ConvertTo-Splat -Params $Params
        $results = @(& $Script @splat)
        if ($results.Count -ne 1) {
            Stop-Script -Id 'NoResult' -Message "the script returned $($results.Count) results instead of one"
        }
        return '"result":' + (ConvertTo-AsciiJson -Value $results[0])
    }
    catch { return '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
}
