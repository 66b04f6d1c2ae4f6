# Restarts of what still runs with older settings, or does not run.

# Ends the script because a service does not run. The reason of a cmdlet is not the
# cause, which is in the event logs only.
function Stop-NotRunning {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [string] $Reason,
        [Parameter(Mandatory = $true)] [datetime] $Since
    )

    $message = "$Name is not running: $Reason"
    $errors = @(Get-LastError -Since $Since)
    if ($errors.Count -gt 0) { $message += "; last errors of the event logs: $($errors -join '; ')" }
    Stop-Script -Id 'ServiceNotRunning' -Message $message
}

# Restarts a service, which starts one that is stopped, and waits until it runs.
# Note is added to the reason when it does not.
function Restart-WaitedService {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [string] $Note = ''
    )

    $began = Get-MachineTime
    try {
        Restart-Service -Name $Name -Force
        $service = Get-Service -Name $Name
        $service.WaitForStatus('Running', [timespan]::FromMinutes(2))
    }
    catch {
        if ((Get-ServiceRecord -Name $Name).running) { throw }
        Stop-NotRunning -Name $Name -Reason ($_.Exception.GetBaseException().Message + $Note) -Since $began
    }
}

# Ends the script when a service that was started has stopped again.
function Assert-ServiceRunning {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string[]] $Name,
        [Parameter(Mandatory = $true)] [datetime] $Since
    )

    foreach ($one in $Name) {
        if (-not (Get-ServiceRecord -Name $one).running) { Stop-NotRunning -Name $one -Reason 'it started and stopped again' -Since $Since }
    }
}

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
    Restart-WaitedService -Name $Name
    return $true
}

# Reports whether IIS can serve. W3SVC depends on WAS.
# Source: Microsoft, "Introduction to IIS Architectures".
function Test-IisRunning {
    [CmdletBinding()]
    param()

    return (Get-ServiceRecord -Name W3SVC).running -and (Get-ServiceRecord -Name WAS).running
}

# Reports whether a worker process of IIS started before a moment.
function Test-OlderWorker {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [datetime] $Before)

    $since = Get-WorkerStart
    return $null -ne $since -and $since.ToUniversalTime() -lt $Before.ToUniversalTime()
}

# Restarts IIS if its oldest worker process started before a moment, or if it does
# not run although its start type is automatic. Reports whether it restarted IIS.
# Where IIS runs without a worker process, the next one loads the current settings.
# IIS is stopped and started in two steps, and started whatever became of the stop:
# a failed iisreset leaves it stopped. That it runs decides, not an exit code.
# Source: Microsoft, IIS event 3206 (iisreset /noforce); SharePointDsc,
# SPProductUpdate, which stops and starts IIS apart.
function Restart-OlderIis {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [datetime] $Before)

    if (Test-IisRunning) {
        if (-not (Test-OlderWorker -Before $Before)) { return $false }
    }
    else {
        $service = Get-Service -Name W3SVC -ErrorAction SilentlyContinue
        if ($null -eq $service -or [string] $service.StartType -ne 'Automatic') { return $false }
    }
    $began = Get-MachineTime
    $stopped = Invoke-IisReset -Action stop
    $started = Invoke-IisReset -Action start
    $problem = ''
    if (-not (Test-IisRunning)) {
        $states = @(foreach ($name in 'W3SVC', 'WAS') { "$name running: $((Get-ServiceRecord -Name $name).running)" })
        $problem = $states -join ', '
    }
    elseif (Test-OlderWorker -Before $began) { $problem = 'an old worker process still runs' }
    if ($problem -ne '') {
        $message = "iisreset /stop ended with exit code $stopped, iisreset /start with $($started): $problem"
        $errors = @(Get-LastError -Since $began)
        if ($errors.Count -gt 0) { $message += "; last errors of the event logs: $($errors -join '; ')" }
        Stop-Script -Id 'IisResetFailed' -Message $message
    }
    return $true
}
