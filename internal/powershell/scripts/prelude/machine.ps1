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
