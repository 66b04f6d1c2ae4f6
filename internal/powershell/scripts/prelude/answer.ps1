# How a script is run, and how its result or its failure is told.

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

# Runs a script with parameters and returns its one result, or its failure, as
# a field of JSON. Failures are caught here: an error's identity grows by the
# name of each function that it leaves.
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
            Stop-Script -Id 'NoResult' -Message "the script returned $($results.Count) results where one is due"
        }
        return '"result":' + (ConvertTo-AsciiJson -Value $results[0])
    }
    catch { return '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
}
