# Restarts of what runs older settings than those that are set.

# Restarts a service whose process started before a moment, or that stopped
# although Windows is to start it; says whether it did.
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

# Restarts IIS if its oldest worker started before a moment; says whether it
# did. Where no worker runs, the next one loads what is current.
function Restart-OlderWorker {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [datetime] $Before)

    $since = Get-WorkerStart
    if ($null -eq $since -or $since.ToUniversalTime() -ge $Before.ToUniversalTime()) { return $false }
    $code = Invoke-IisReset
    if ($code -ne 0) { Stop-Script -Id 'IisResetFailed' -Message "iisreset ended with exit code $code" }
    return $true
}
