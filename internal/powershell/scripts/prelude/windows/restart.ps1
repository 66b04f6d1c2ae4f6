# Restarts that only a program of Windows can do.

# Restarts IIS and returns the program's exit code; its text is localized.
function Invoke-IisReset {
    [CmdletBinding()]
    param()

    & "$env:SystemRoot\System32\iisreset.exe" /restart | Out-Null
    return $LASTEXITCODE
}
