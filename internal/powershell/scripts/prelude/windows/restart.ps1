# The restart of IIS.

# Restarts IIS and returns the exit code of iisreset, whose text is localized.
function Invoke-IisReset {
    [CmdletBinding()]
    param()

    & "$env:SystemRoot\System32\iisreset.exe" /restart | Out-Null
    return $LASTEXITCODE
}
