# Restarts of what still runs with older settings.

# Restarts a service whose process started before a moment, or that is stopped
# although its start type is automatic. Reports whether it restarted the service.
function Restart-OlderService {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [datetime] $Before
    )

    $record = Get-ServiceRecord -Name $Name
    $service = Get-Service -Name $Name
    if (-not $record.running -and [string] $service.StartType -ne 'Automatic') { return $false }
    if ($record.running -and $null -ne $record.since -and $record.since.ToUniversalTime() -ge $Before.ToUniversalTime()) { return $false }
    Restart-Service -Name $Name -Force
    $service = Get-Service -Name $Name
    $service.WaitForStatus('Running', [timespan]::FromMinutes(2))
    return $true
}

# Restarts IIS if its oldest worker process started before a moment. Reports
# whether it restarted IIS. When no worker process runs, the next one will load
# the current settings.
function Restart-OlderWorker {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [datetime] $Before)

    $since = Get-WorkerStart
    if ($null -eq $since -or $since.ToUniversalTime() -ge $Before.ToUniversalTime()) { return $false }
    $code = Invoke-IisReset
    if ($code -ne 0) { Stop-Script -Id 'IisResetFailed' -Message "iisreset ended with exit code $code" }
    return $true
}
