# The restart of IIS, and the note of what a restart loaded.

# Stops or starts IIS and returns the exit code of iisreset, whose text is localized.
# With /noforce a stop ends no process by force, which Microsoft advises for servers
# in use. By default iisreset waits 60 seconds for a stop, while IIS itself gives its
# worker processes 90, and would be started while it still stops.
# Source: Microsoft, IIS event 3206; "Timeouts Reference" and ShutdownTimeLimit.
function Invoke-IisReset {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('stop', 'start')] [string] $Action)

    if ($Action -eq 'stop') { & "$env:SystemRoot\System32\iisreset.exe" /stop /noforce /timeout:120 | Out-Null }
    else { & "$env:SystemRoot\System32\iisreset.exe" /start | Out-Null }
    return $LASTEXITCODE
}

# Returns the note, or null when there is none.
function Get-LoadedText {
    [CmdletBinding()]
    param()

    return [Microsoft.Win32.Registry]::GetValue('HKEY_LOCAL_MACHINE\SOFTWARE\farmtrust', 'Loaded', $null)
}

function Set-LoadedText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)

    [Microsoft.Win32.Registry]::SetValue('HKEY_LOCAL_MACHINE\SOFTWARE\farmtrust', 'Loaded', $Text)
}
