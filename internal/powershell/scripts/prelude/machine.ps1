# What every observing script tells of its server.

# Asked last in a script: the clock then belongs to the answer.
function Get-Machine {
    [CmdletBinding()]
    param()

    return [pscustomobject] @{
        name = Get-ComputerName
        domain = Get-DomainName
        forest = Get-ForestName
        windowsBuild = Get-WindowsBuild
        powerShell = [string] $PSVersionTable.PSVersion
        elevated = Test-Elevated
        fips = Test-FipsPolicy
        pendingReboot = Test-PendingReboot
        configurationMode = Get-ConfigurationMode
        clock = Get-MachineTime
    }
}

# Remote administrators that are local accounts get a token without their
# rights unless LocalAccountTokenFilterPolicy is set; better said at once.
function Assert-Elevated {
    [CmdletBinding()]
    param()

    if (-not (Test-Elevated)) {
        Stop-Script -Id 'NotElevated' -Message 'the account runs without administrator rights on this server'
    }
}

function Get-ServiceRecord {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Name)

    $running = $false
    foreach ($service in Get-Service -Name $Name -ErrorAction SilentlyContinue) { $running = [string] $service.Status -eq 'Running' }
    $since = $null
    if ($running) { $since = Get-ServiceStart -Name $Name }
    return [pscustomobject] @{ name = $Name; running = $running; since = $since }
}

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
